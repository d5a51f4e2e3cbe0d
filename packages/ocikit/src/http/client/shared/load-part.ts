// Parts of the client that are loaded only when a call needs them.
import { RegistryError } from '../../../model/index.ts';
import { abortable } from '../../../transfer/index.ts';

/**
 * Waits for a part that most calls do not need. It is loaded for the first call that does, so a page does not download
 * it before.
 *
 * @param part the result of `import()`, which keeps what it has loaded
 * @throws RegistryError UNAVAILABLE if it cannot be loaded
 */
export async function loadPart<T>(part: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const found = part.catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RegistryError('UNAVAILABLE', `a part of the client could not be loaded: ${reason}`, { cause });
  });
  return abortable(found, signal);
}
