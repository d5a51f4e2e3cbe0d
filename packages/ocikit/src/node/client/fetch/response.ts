import type { IncomingMessage } from 'node:http';

import { rawBody } from '../../../http/wire/index.ts';
import type { RawBody } from '../../../http/wire/index.ts';

import type { HttpCall } from './http-call.ts';
import type { ResponseBody } from './response-body.ts';

export function responseOf(message: IncomingMessage, url: URL, init: RequestInit, call: HttpCall): Response & RawBody {
  const { statusCode: status = 0, statusMessage: statusText = '' } = message;
  const headers = new Headers();
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2) {
    headers.append(message.rawHeaders[at] ?? '', message.rawHeaders[at + 1] ?? '');
  }
  const { answer } = call;
  try {
    if (init.redirect === 'error' && [301, 302, 303, 307, 308].includes(status)) throw new TypeError('a redirect');
    const response = new Response(answer === undefined ? null : streamOf(answer), { status, statusText, headers });
    Object.defineProperty(response, 'url', { value: url.href });
    return Object.defineProperty(response, rawBody, { value: answer });
  } catch (error) {
    const failed = new TypeError(`fetch failed: the answer is ${status}`, { cause: error });
    call.fail(failed);
    throw failed;
  }
}

/** For those who read `body`. Nothing is taken before they do, so that `rawBody` can be read instead. */
function streamOf(body: ResponseBody): ReadableStream<Uint8Array> {
  let isPulled = false;
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        isPulled = true;
        const next = await body.next();
        if (next.done === true) controller.close();
        else controller.enqueue(next.value);
      },
      cancel: async () => {
        // A runtime may cancel a stream that nobody refers to any more, while its bytes are read by `rawBody`.
        if (isPulled || !body.isBegun) await body.return();
      },
    },
    { highWaterMark: 0 },
  );
}
