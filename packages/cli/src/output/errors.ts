/** An error as one line for a person: what failed, and what to try where that is known. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const hint = hintFor(error);
  return hint === undefined ? error.message : `${error.message}\n  ${hint}`;
}

function hintFor(error: Error): string | undefined {
  const code = 'code' in error ? error.code : undefined;
  switch (code) {
    case 'EADDRINUSE':
      return 'Another program listens there. Choose another port with --port, or any free one with --port 0.';
    case 'EACCES':
      return 'Ports below 1024 need more rights. Choose another one with --port.';
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return 'This machine does not have that address. 127.0.0.1 is this machine only, 0.0.0.0 all its addresses.';
    default:
      return undefined;
  }
}
