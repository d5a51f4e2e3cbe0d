// Makes a Response of Node's incoming message.
import type { IncomingMessage } from 'node:http';

import { rawBody } from '../../../http/wire/index.ts';
import type { RawBody } from '../../../http/wire/index.ts';

import type { HttpCall } from './http-call.ts';
import type { ResponseBody } from './response-body.ts';

/**
 * Makes the `Response` of a call.
 *
 * @throws TypeError if it is a redirect and the caller refused those, or its status or headers are malformed
 */
export function responseOf(message: IncomingMessage, url: URL, init: RequestInit, call: HttpCall): Response & RawBody {
  const { statusCode: status = 0, statusMessage: statusText = '' } = message;
  const headers = new Headers();
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2) {
    headers.append(message.rawHeaders[at] ?? '', message.rawHeaders[at + 1] ?? '');
  }
  const { body } = call;
  try {
    if (init.redirect === 'error' && [301, 302, 303, 307, 308].includes(status))
      throw new TypeError('the caller does not accept redirects');
    const response = new Response(body === undefined ? null : streamOf(body), { status, statusText, headers });
    Object.defineProperty(response, 'url', { value: url.href });
    return Object.defineProperty(response, rawBody, { value: body });
  } catch (error) {
    const failed = new TypeError(
      `fetch failed: the response of ${url.host} has status ${status}, which is not accepted`,
      { cause: error },
    );
    call.fail(failed);
    throw failed;
  }
}

/**
 * The stream for readers of `Response.body`. It takes nothing until it is read, so that `rawBody` can be read
 * instead.
 */
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
        // A runtime may cancel an unreferenced stream while `rawBody` is being read: ignore that.
        if (isPulled || !body.isBegun) await body.return();
      },
    },
    { highWaterMark: 0 },
  );
}
