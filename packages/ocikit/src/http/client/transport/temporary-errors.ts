// The errors of one registry whose reason may pass.
import { isTemporaryStatus, RegistryError } from '../../../model/index.ts';
import type { HttpError } from '../../../model/index.ts';
import { isTemporaryFault, redactUrl } from '../shared/index.ts';

/** Remembers which errors came from the registry or its connection for a reason that may pass. */
export class TemporaryErrors {
  readonly #errors = new WeakSet();

  /** Whether an error is one of them. */
  has(error: unknown): boolean {
    return this.#errors.has(error as object);
  }

  /** The error for a connection that failed. */
  unavailable(method: string, url: URL, cause: unknown): RegistryError {
    const error = new RegistryError('UNAVAILABLE', `${method} ${redactUrl(url)}: ${reasonIn(cause)}`, { cause });
    if (isTemporaryFault(cause)) this.#errors.add(error);
    return error;
  }

  /** Remembers the error of a response, if its status may pass. */
  learn(error: HttpError): void {
    if (isTemporaryStatus(error.status)) this.#errors.add(error);
  }
}

/** The message of the innermost cause: `fetch failed` alone does not say why. */
function reasonIn(error: unknown): string {
  let reason = String(error);
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    const code = 'code' in at && typeof at.code === 'string' ? at.code : '';
    reason = at.message || code || reason;
    // The words of OpenSSL and of Node's parser do not say what is wrong.
    const other = otherScheme.find(([pattern]) => pattern.test(`${code} ${at.message}`));
    if (other !== undefined) return `${other[1]} (${reason.trim()})`;
  }
  return reason;
}

/** Errors of a client that speaks another protocol than the server, and what to do. */
const otherScheme: readonly (readonly [RegExp, string])[] = [
  [
    /wrong.version.number|packet.length.too.long|http.request|unknown.protocol|record.layer/i,
    "the server does not speak TLS on this port: use http, with the option scheme: 'http'",
  ],
  [
    /HPE_INVALID_(?:CONSTANT|VERSION)|Expected HTTP/,
    "the answer is not HTTP; if the server speaks TLS on this port, use https, with the option scheme: 'https'",
  ],
];
