// Telling apart the errors of the file system.

/** True if the error has one of these codes of the operating system, such as `EEXIST`. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** True if the file, or a directory of its path, does not exist. */
export function isMissing(error: unknown): boolean {
  return hasCode(error, 'ENOENT', 'ENOTDIR');
}
