// Errors as text for a person.
/** The message of an error, and a hint on a second line where one is known. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const hint = hintFor(error);
  return hint === undefined ? error.message : `${error.message}\n  ${hint}`;
}

function hintFor(error: Error): string | undefined {
  const code = 'code' in error ? error.code : undefined;
  switch (code) {
    case 'EADDRINUSE':
      return 'Another program listens on this port. Choose another one with --port, or any free one with --port 0.';
    case 'EACCES':
      return 'Ports below 1024 need more rights. Choose another port with --port.';
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return 'This machine does not have that address. Use 127.0.0.1 for this machine only, or 0.0.0.0 for all its addresses.';
    default:
      return undefined;
  }
}
