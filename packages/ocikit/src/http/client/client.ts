// The client: its parts, put together.
import type { CallOptions, Deleter, Lister, Registry } from '../../model/index.ts';

import { createAuthenticator } from './auth/index.ts';
import { clientReader } from './pull/index.ts';
import { clientWriter } from './push/index.ts';
import type { RawRequestOptions } from './raw-request.ts';
import { clientReferrers, ReferrersListings } from './referrers/index.ts';
import { loadPart } from './shared/index.ts';
import type { ClientOptions } from './shared/index.ts';
import { createTransport } from './transport/index.ts';

/** A registry that is reached over HTTP. */
export interface Client extends Registry {
  /**
   * Sends a request to a path that the distribution specification does not have, such as an extension's: authenticated,
   * retried and limited as all requests of the client. Redirects are followed. Read or cancel the body within 30
   * seconds.
   *
   * Rejects with HttpError for any status but 200 to 206; with NAME_INVALID if `path` does not start with `/`.
   *
   * @example
   * const response = await client.request('/v2/_oci/ext/discover');
   * console.log(await response.json());
   */
  request(path: string, options?: RawRequestOptions): Promise<Response>;
}

/**
 * A registry that is reached over HTTP: Docker Hub, GHCR, ECR, GitLab, Quay, Harbor, Artifactory, your own.
 *
 * It authenticates, follows redirects, retries temporary failures and resumes transfers that were cut. Content that it
 * hands on as a whole has been verified against the requested digest. Names are checked before a request is sent. A
 * registry's error response becomes an `HttpError`; `explain` says how an error came about.
 *
 * A page first loads what reads. The code that lists, pushes, deletes manifests or fetches large blobs over
 * several connections is loaded by `import()` for the first call that needs it, if the bundler splits. If it cannot be
 * loaded, the call fails with UNAVAILABLE.
 *
 * @throws RegistryError NAME_INVALID if the host is anything but `HOST[:PORT]`; UNSUPPORTED for a scheme other than
 * `http` and `https`; TypeError if `backOff` has the wrong kind
 * @example
 * const hub = createClient({ host: 'docker.io' });
 * const { descriptor } = await hub.getTag('library/alpine', '3');
 */
export function createClient(options: ClientOptions): Client {
  const { credentials, trustedRealms = [], userAgent, backOff, onRetry, redirects } = options;
  const transport = createTransport(options, ({ origin }, fetch, onTokenRequest) =>
    createAuthenticator({ origin, fetch, onTokenRequest, credentials, trustedRealms, userAgent, backOff, onRetry }),
  );
  const reader = clientReader(transport, options);
  const listings = new ReferrersListings();
  const writer = clientWriter(transport, options, reader, listings);
  const referrers = clientReferrers(transport, reader);

  /** Deletes. The code for that is loaded for the first deletion. */
  const deleting = <T extends CallOptions>(
    given: T | undefined,
    run: (deleter: Deleter, call: T) => Promise<void>,
  ): Promise<void> =>
    explained(given, async (call) => {
      const { clientDeleter } = await loadPart(import('./deleter.ts'), call.signal);
      return run(clientDeleter(transport, reader, listings, options), call);
    });

  /** Lists names. The code for that is loaded for the first list. */
  const listed = async function* <T extends CallOptions>(
    call: T,
    list: (lister: Pick<Lister, 'repositories' | 'tags'>, call: T) => AsyncIterable<string>,
  ): AsyncGenerator<string, void, undefined> {
    const { clientLister } = await loadPart(import('./lister.ts'), call.signal);
    yield* list(clientLister(transport, options), call);
  };

  /** Runs a call so that `explain` knows its error. */
  const explained = async <T extends CallOptions, R>(
    given: T | undefined,
    run: (call: T) => Promise<R>,
  ): Promise<R> => {
    const call = transport.begin(given);
    try {
      return await run(call);
    } catch (error) {
      transport.note(error, call);
      throw error;
    }
  };

  /** Reads for the caller: what the client reads for its own needs may follow redirects. */
  const reading: typeof explained = (given, run) => explained(Object.assign({}, given, { redirects }), run);

  return {
    request: (path, given) =>
      explained(given, async (call) => {
        const { rawRequest } = await loadPart(import('./raw-request.ts'), call.signal);
        return rawRequest(transport, path, call);
      }),
    getBlob: (repository, digest, given) => reading(given, (call) => reader.getBlob(repository, digest, call)),
    getManifest: (repository, digest, given) => reading(given, (call) => reader.getManifest(repository, digest, call)),
    getTag: (repository, tag, given) => reading(given, (call) => reader.getTag(repository, tag, call)),
    resolveBlob: (repository, digest, given) => reading(given, (call) => reader.resolveBlob(repository, digest, call)),
    resolveManifest: (repository, digest, given) =>
      reading(given, (call) => reader.resolveManifest(repository, digest, call)),
    resolveTag: (repository, tag, given) => reading(given, (call) => reader.resolveTag(repository, tag, call)),

    pushBlob: (repository, blob, source, given) =>
      explained(given, (call) => writer.pushBlob(repository, blob, source, call)),
    startUpload: (repository, given) => explained(given, (call) => writer.startUpload(repository, call)),
    resumeUpload: (repository, id, given) => explained(given, (call) => writer.resumeUpload(repository, id, call)),
    mountBlob: (from, repository, digest, given) =>
      explained(given, (call) => writer.mountBlob(from, repository, digest, call)),
    pushManifest: (repository, bytes, mediaType, given) =>
      explained(given, (call) => writer.pushManifest(repository, bytes, mediaType, call)),

    deleteBlob: (repository, digest, given) =>
      deleting(given, (deleter, call) => deleter.deleteBlob(repository, digest, call)),
    deleteManifest: (repository, digest, given) =>
      deleting(given, (deleter, call) => deleter.deleteManifest(repository, digest, call)),
    deleteTag: (repository, tag, given) => deleting(given, (deleter, call) => deleter.deleteTag(repository, tag, call)),

    repositories: (given) => listed(transport.begin(given), (lister, call) => lister.repositories(call)),
    tags: (repository, given) => listed(transport.begin(given), (lister, call) => lister.tags(repository, call)),
    referrers: (repository, digest, given) => referrers(repository, digest, transport.begin(given)),
  };
}
