// Errors as text for a person.
/** The message of an error, and a hint on a second line where one is known. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const hint = hintFor(error);
  return hint === undefined ? error.message : `${error.message}\n  ${hint}`;
}

function hintFor(error: Error): string | undefined {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return rightsHint(error);
  switch (code) {
    case 'EADDRINUSE':
      return 'Another program listens on this port. Choose another one with --port, or any free one with --port 0.';
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return 'This machine does not have that address. Use 127.0.0.1 for this machine only, or 0.0.0.0 for all its addresses.';
    default:
      return undefined;
  }
}

/** The same codes come from ports and from files. */
function rightsHint(error: Error): string {
  if ('syscall' in error && (error.syscall === 'listen' || error.syscall === 'bind')) {
    return 'Ports below 1024 need more rights. Choose another port with --port.';
  }
  const path = 'path' in error && typeof error.path === 'string' ? error.path : 'a file';
  return `This user may not use ${path}. Choose another directory, or change the rights of this one.`;
}
