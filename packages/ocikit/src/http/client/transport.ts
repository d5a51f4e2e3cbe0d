import type { ClientRequest } from './request.ts';

/** An answer to a {@link ClientRequest}. It holds a connection until its body has been read or discarded. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Where it came from, after redirects. */
  readonly url: URL;
  /** The body as it comes; once. Leaving the iteration ends the connection. A cut connection throws; nothing is tried again here. */
  body(): AsyncIterable<Uint8Array>;
  /** All of it. Rejects with CONTENT_TOO_LARGE if there are more bytes than that. */
  bytes(limit: number): Promise<Uint8Array>;
  /** A JSON document of at most so many bytes. Rejects with UNKNOWN if it is none. */
  json(limit: number): Promise<unknown>;
  /** Nobody wants the body: a short rest is read, so that the connection can be used again. */
  discard(): Promise<void>;
}

/**
 * Sends requests to one registry: authenticated, as often as it takes, after redirects, a bounded number at a time.
 */
export interface Transport {
  /** The registry's base, for example `https://registry.example.com/`. */
  readonly base: URL;
  /**
   * @returns an answer with one of the statuses that are expected
   * @throws HttpError for any other status
   * @throws RegistryError UNAVAILABLE if the registry cannot be reached
   */
  send(request: ClientRequest): Promise<Answer>;
  /**
   * Runs an action until it gives something, under the client's one policy: what may be tried again, how often and when. For what is more
   * than one request, as a download that goes on from its byte, or an upload that asks where it stands.
   *
   * @param run is given the number of its attempt, from 1; calling `progress` says that it has moved on, and its attempts count anew
   */
  attempt<T>(call: ClientRequest['call'], run: (attempt: number, progress: () => void) => Promise<T>): Promise<T>;
  /** An error for an answer that a registry must not give, which is never tried again; `explain` knows it. */
  wrongAnswer(answer: Answer, what: string): Error;
}
