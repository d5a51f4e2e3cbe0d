// A small JSON document from an issuer, which may be slow, huge or broken.

/** The part of `fetch` that is used. */
export type FetchJson = (url: string, init: RequestInit) => Promise<Response>;

/** Bytes of a document at most. */
const largest = 256 * 1024;
/** Milliseconds that a document may take. */
const patience = 5000;

/**
 * Fetches a JSON document.
 *
 * @param authorization the header `Authorization`, if the issuer wants one
 * @throws Error that says what came back, without the header
 */
export async function fetchJson(fetch: FetchJson, url: string, authorization: string | undefined): Promise<unknown> {
  const signal = AbortSignal.timeout(patience);
  try {
    const headers = { accept: 'application/json', ...(authorization !== undefined && { authorization }) };
    // A redirect could lead elsewhere, with the header.
    const response = await fetch(url, { headers, redirect: 'error', signal });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`the status is ${response.status}`);
    }
    return JSON.parse(await textOf(response));
  } catch (cause) {
    const reason = signal.aborted ? `no answer within ${patience / 1000} s` : reasonOf(cause);
    throw new Error(`${url} cannot be read: ${reason}`, { cause });
  }
}

async function textOf(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  for (;;) {
    const { value } = (await reader?.read()) ?? {};
    if (value === undefined) return text + decoder.decode();
    size += value.length;
    text += decoder.decode(value, { stream: true });
    if (size <= largest) continue;
    await reader?.cancel();
    throw new Error(`it has more than ${largest} bytes`);
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // `fetch` says what happened in the cause.
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
