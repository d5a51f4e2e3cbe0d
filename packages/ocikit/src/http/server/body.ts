import { RegistryError } from '../../model/index.ts';

/** Hands on what comes; fails with REQUEST_TIMEOUT if nothing comes for that many milliseconds. */
export async function* idleTimeout(
  body: AsyncIterable<Uint8Array>,
  milliseconds: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = body[Symbol.asyncIterator]();
  let ended = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const next = (): Promise<IteratorResult<Uint8Array, unknown>> =>
    new Promise((resolve, reject) => {
      timer = setTimeout(() => {
        reject(new RegistryError('REQUEST_TIMEOUT', `the request's body paused for more than ${milliseconds} ms`));
      }, milliseconds);
      iterator.next().then(resolve, reject);
    });
  try {
    for (;;) {
      const result = await next();
      clearTimeout(timer);
      if (result.done === true) {
        ended = true;
        return;
      }
      yield result.value;
    }
  } finally {
    clearTimeout(timer);
    // Not awaited: a source that hangs would keep its `return` waiting behind the `next` that never came.
    if (!ended) iterator.return?.().catch(() => undefined);
  }
}

/** @throws RegistryError CONTENT_TOO_LARGE as soon as there are more bytes than that */
export async function readBody(body: AsyncIterable<Uint8Array>, limit: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > limit) throw tooLarge(limit);
    pieces.push(piece);
  }
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return only;
  const all = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

export function tooLarge(limit: number): RegistryError {
  return new RegistryError('CONTENT_TOO_LARGE', `a manifest may have ${limit} bytes at most`, { detail: { limit } });
}
