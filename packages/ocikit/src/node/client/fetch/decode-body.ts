// Decodes the bodies of responses that a gateway has encoded on their way.
import { Readable } from 'node:stream';
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';

import { RegistryError } from '../../../model/index.ts';

/**
 * Decodes pieces by an encoding of `Content-Encoding`. RFC 9110, section 8.4.1.
 *
 * @throws RegistryError UNKNOWN if the encoding is not known, or the pieces are not in it
 */
export async function* decodeBody(
  encoding: string,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = pieces[Symbol.asyncIterator]();
  try {
    const first = await iterator.next();
    if (first.done === true) return;
    const decoder = decoderOf(encoding, first.value);
    if (decoder === undefined) throw undecodable(`is not known`, encoding);
    /** The error of the pieces themselves, such as a cut connection. */
    let failure: { error: unknown } | undefined;
    const rest = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      try {
        for (let next: IteratorResult<Uint8Array> = first; next.done !== true; next = await iterator.next()) {
          yield next.value;
        }
      } catch (error) {
        failure = { error };
        throw error;
      }
    };
    const source = Readable.from(rest(), { objectMode: true });
    source.on('error', (error) => decoder.destroy(error));
    try {
      for await (const piece of source.pipe(decoder)) yield piece as Uint8Array;
    } catch (error) {
      throw failure === undefined ? undecodable('cannot be decoded', encoding, error) : failure.error;
    } finally {
      source.destroy();
      decoder.destroy();
    }
  } finally {
    await iterator.return?.();
  }
}

function undecodable(why: string, encoding: string, cause?: unknown): RegistryError {
  return new RegistryError('UNKNOWN', `the Content-Encoding ${JSON.stringify(encoding)} of an answer ${why}`, {
    cause,
  });
}

function decoderOf(encoding: string, [first = 0, second = 0]: Uint8Array): Transform | undefined {
  switch (encoding) {
    case 'gzip':
    case 'x-gzip':
      return zlib.createGunzip();
    case 'deflate':
      // Some servers send it without its envelope. RFC 1950, section 2.2.
      return (first & 15) === 8 && (first * 256 + second) % 31 === 0 ? zlib.createInflate() : zlib.createInflateRaw();
    case 'br':
      return zlib.createBrotliDecompress();
    default:
      return undefined;
  }
}
