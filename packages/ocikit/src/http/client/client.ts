import type { CallOptions, Lister, Registry } from '../../model/index.ts';

import { createAuthenticator } from './auth/index.ts';
import { clientDeleter } from './deleter.ts';
import { clientLister } from './lister.ts';
import { loaded } from './shared/index.ts';
import type { ClientOptions } from './shared/index.ts';
import { clientReader } from './pull/index.ts';
import { ReferrersListings } from './referrers/index.ts';
import { createTransport } from './transport/index.ts';
import { clientWriter } from './push/index.ts';

/**
 * A registry that is reached over HTTP: Docker Hub, GHCR, ECR, GitLab, Quay, Harbor, Artifactory, your own.
 *
 * It authenticates, follows redirects, tries again what may pass and goes on with what was cut; what it hands on as a
 * whole has been verified against the digest that was asked for. Names are checked here, so a malformed one sends
 * nothing. Errors that come from answers are `HttpError`s; `explain` says how an error came about.
 *
 * Reading is in what a page loads at first. What pushes, lists referrers, deletes manifests or fetches large blobs over several
 * connections is loaded by `import()` for the first call that needs it, if the bundler splits; a call whose part cannot be loaded
 * fails with UNAVAILABLE.
 *
 * @throws RegistryError NAME_INVALID if the host is anything but `HOST[:PORT]`
 * @example
 * const hub = createClient({ host: 'docker.io' });
 * const { descriptor } = await hub.getTag('library/alpine', '3');
 */
export function createClient(options: ClientOptions): Registry {
  const { credentials, trustedRealms = [], userAgent, backOff, onRetry } = options;
  const transport = createTransport(options, ({ origin }, fetch, onTokenRequest) =>
    createAuthenticator({ origin, fetch, onTokenRequest, credentials, trustedRealms, userAgent, backOff, onRetry }),
  );
  const reader = clientReader(transport, options);
  const listings = new ReferrersListings();
  const writer = clientWriter(transport, options, reader, listings);
  const deleter = clientDeleter(transport, reader, listings);
  const lister = clientLister(transport, options);
  const referrers: Lister['referrers'] = async function* (repository, digest, call = {}) {
    const { clientReferrers } = await loaded(import('./referrers/listing.ts'), call.signal);
    yield* clientReferrers(transport, reader)(repository, digest, call);
  };

  /** Whatever a call fails with can be explained. */
  const told = async <T extends CallOptions, R>(given: T | undefined, run: (call: T) => Promise<R>): Promise<R> => {
    const call = transport.begin(given);
    try {
      return await run(call);
    } catch (error) {
      transport.note(error, call);
      throw error;
    }
  };

  return {
    getBlob: (repository, digest, given) => told(given, (call) => reader.getBlob(repository, digest, call)),
    getManifest: (repository, digest, given) => told(given, (call) => reader.getManifest(repository, digest, call)),
    getTag: (repository, tag, given) => told(given, (call) => reader.getTag(repository, tag, call)),
    resolveBlob: (repository, digest, given) => told(given, (call) => reader.resolveBlob(repository, digest, call)),
    resolveManifest: (repository, digest, given) =>
      told(given, (call) => reader.resolveManifest(repository, digest, call)),
    resolveTag: (repository, tag, given) => told(given, (call) => reader.resolveTag(repository, tag, call)),

    pushBlob: (repository, blob, source, given) =>
      told(given, (call) => writer.pushBlob(repository, blob, source, call)),
    startUpload: (repository, given) => told(given, (call) => writer.startUpload(repository, call)),
    resumeUpload: (repository, id, given) => told(given, (call) => writer.resumeUpload(repository, id, call)),
    mountBlob: (from, repository, digest, given) =>
      told(given, (call) => writer.mountBlob(from, repository, digest, call)),
    pushManifest: (repository, bytes, mediaType, given) =>
      told(given, (call) => writer.pushManifest(repository, bytes, mediaType, call)),

    deleteBlob: (repository, digest, given) => told(given, (call) => deleter.deleteBlob(repository, digest, call)),
    deleteManifest: (repository, digest, given) =>
      told(given, (call) => deleter.deleteManifest(repository, digest, call)),
    deleteTag: (repository, tag, given) => told(given, (call) => deleter.deleteTag(repository, tag, call)),

    repositories: (given) => lister.repositories(transport.begin(given)),
    tags: (repository, given) => lister.tags(repository, transport.begin(given)),
    referrers: (repository, digest, given) => referrers(repository, digest, transport.begin(given)),
  };
}
