import { RegistryError } from '../../../model/index.ts';

import { abortable } from '../../../transfer/index.ts';

/**
 * A part that most calls do not need, and that is loaded for the first one that does: a page does not download it before.
 *
 * @param part what `import()` gives, which keeps what it has loaded
 * @throws RegistryError UNAVAILABLE if it cannot be loaded
 */
export async function loaded<T>(part: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const found = part.catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RegistryError('UNAVAILABLE', `a part of the client could not be loaded: ${reason}`, { cause });
  });
  return abortable(found, signal);
}
