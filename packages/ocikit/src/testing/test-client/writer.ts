// The pushes of the test client.
import {
  assertCondition,
  assertRepository,
  assertTag,
  conditionOn,
  digestOf,
  isManifestUnknown,
  mediaTypes,
  parseDigest,
} from '../../model/index.ts';
import type {
  BlobIdentity,
  CallOptions,
  Digest,
  MountSource,
  PushManifestOptions,
  Reader,
  TagCondition,
  Writer,
} from '../../model/index.ts';

import { assertSize, bodyOf } from './request-body.ts';
import type { Body } from './request-body.ts';
import { assertDigest, wrongAnswer } from './http.ts';
import type { Http, SentRequest } from './http.ts';
import { assertPushed, ClientUpload, uploadAt, uploadsOf, uploadStateIn } from './upload.ts';

/** Pushes blobs and manifests. Distribution specification, "Push". */
export function clientWriter(http: Http, reader: Pick<Reader, 'resolveBlob' | 'resolveTag'>): Writer {
  /** A request has one condition for all of its tags. Different ones are compared before it. */
  const oneCondition = async (
    repository: string,
    tags: readonly string[],
    ifTag: TagCondition | undefined,
  ): Promise<Digest | null | undefined> => {
    const [first, ...others] = new Set(tags.map((tag) => conditionOn(tag, ifTag)));
    if (others.length === 0) return first;
    for (const tag of tags) {
      const found = await reader.resolveTag(repository, tag).catch((error: unknown) => {
        if (isManifestUnknown(error)) return undefined;
        throw error;
      });
      assertCondition(tag, ifTag, found?.digest);
    }
    return undefined;
  };

  /** Sends bytes in one request, and a stream through an upload. */
  const sendBlob = async (repository: string, blob: BlobIdentity, body: Body, options: CallOptions): Promise<void> => {
    const { digest, size = 0 } = blob;
    const { signal } = options;
    const type = { 'content-type': mediaTypes.octetStream };
    // A stream has no Content-Length.
    const headers = size === 0 ? type : { ...type, 'content-range': `0-${size - 1}` };
    const single = body.content instanceof Uint8Array;
    const post: SentRequest = single
      ? {
          method: 'POST',
          url: uploadsOf(http, repository, { digest }),
          headers: type,
          body: body.content,
          signal,
          expect: [201, 202],
        }
      : { method: 'POST', url: uploadsOf(http, repository), signal, expect: [202] };
    const begun = await http.send(post);
    if (begun.status === 201) {
      assertPushed(http, begun, post.url, digest);
      return;
    }
    const url = http.location(begun, post.url);
    url.searchParams.append('digest', digest);
    const response = await http.send({ method: 'PUT', url, headers, body: body.content, signal, expect: [201] });
    assertPushed(http, response, url, digest);
  };

  return {
    async pushBlob(repository, blob, source, options = {}) {
      const { signal, onEvent } = options;
      const { digest, size } = blob;
      signal?.throwIfAborted();
      onEvent?.({ type: 'started', repository, digest, size });
      const onBytes = (transferred: number): void =>
        onEvent?.({ type: 'bytes', repository, digest, size, transferred });
      const body = await bodyOf(source, { size, signal, onBytes });
      // The size of bytes is known before they are sent.
      if (body.content instanceof Uint8Array) assertSize(size, body.content.length);
      try {
        await sendBlob(repository, blob, body, options);
      } finally {
        // Report the error of the source, not the wrong digest that follows from it.
        body.assertSource();
      }
      onEvent?.({ type: 'verified', repository, digest, size: body.taken });
      onEvent?.({ type: 'done', repository, digest, size: body.taken });
      return { mediaType: mediaTypes.octetStream, digest, size: body.taken };
    },

    async startUpload(repository, { algorithm, signal } = {}) {
      const url = uploadsOf(http, repository, { 'digest-algorithm': algorithm });
      const response = await http.send({ method: 'POST', url, signal, expect: [202] });
      return new ClientUpload(http, repository, uploadStateIn(http, url, response));
    },

    async resumeUpload(repository, id, { offset, signal } = {}) {
      signal?.throwIfAborted();
      const url = uploadAt(http, repository, id);
      // With an offset the registry is not asked. It refuses the next bytes if the offset is wrong.
      if (offset !== undefined) {
        return new ClientUpload(http, repository, { location: url, size: offset === 'end' ? Number.NaN : offset });
      }
      const response = await http.send({ method: 'GET', url, signal, expect: [204] });
      return new ClientUpload(http, repository, uploadStateIn(http, url, response));
    },

    async mountBlob(from, repository, digest, { algorithm, signal, onEvent } = {}) {
      // The server starts an upload for a source that is no name, and takes an empty parameter for an absent one.
      if (typeof from === 'string') assertRepository(from);
      if (digest.length === 0) parseDigest(digest);
      // A function cannot be sent, and a mount without `from` would allow every repository: begin an upload instead.
      const mount = typeof from === 'function' ? {} : { mount: digest, from };
      const url = uploadsOf(http, repository, { ...mount, 'digest-algorithm': algorithm });
      const response = await http.send({ method: 'POST', url, signal, expect: [201, 202] });
      if (response.status === 202) {
        return { upload: new ClientUpload(http, repository, uploadStateIn(http, url, response)) };
      }
      assertPushed(http, response, url, digest);
      const descriptor = await reader.resolveBlob(repository, digest);
      onEvent?.({ type: 'mounted', repository, digest, size: descriptor.size, from: nameOf(from) });
      return { descriptor };
    },

    async pushManifest(repository, bytes, mediaType, options = {}) {
      const { tags = [], signal } = options;
      signal?.throwIfAborted();
      for (const tag of tags) if (tag === '') assertTag(tag);
      const { url, tagsInQuery } = manifestAddress(http, repository, bytes, options);
      for (const tag of tagsInQuery) url.searchParams.append('tag', tag);
      const headers = { 'content-type': mediaType, ...condition(await oneCondition(repository, tags, options.ifTag)) };
      const body = new Uint8Array(bytes);
      const response = await http.send({ method: 'PUT', url, headers, body, signal, expect: [201] });
      http.location(response, url);
      const digest = options.digest ?? digestOf(bytes);
      assertDigest(response, url, digest);
      const set = new Set((response.headers.get('oci-tag') ?? '').split(',').map((tag) => tag.trim()));
      const missing = tagsInQuery.find((tag) => !set.has(tag));
      if (missing !== undefined) throw wrongAnswer(url, `does not name the tag ${missing} in OCI-Tag`);
      // The digest as it came: the tests compare it.
      const subject = response.headers.get('oci-subject');
      return {
        descriptor: { mediaType, digest, size: bytes.length },
        tags: [...new Set(tags)],
        ...(subject === null ? {} : { subject: subject as Digest }),
      };
    },
  };
}

function nameOf(from: MountSource | undefined): string | undefined {
  return typeof from === 'string' ? from : undefined;
}

/** The address of a manifest: by its digest if that is given or there is no tag, else by the first tag. */
function manifestAddress(
  http: Http,
  repository: string,
  bytes: Uint8Array,
  { digest, tags = [] }: PushManifestOptions,
): { url: URL; tagsInQuery: readonly string[] } {
  const [first, ...others] = tags;
  if (digest !== undefined || first === undefined) {
    return { url: http.manifest(repository, digest ?? digestOf(bytes)), tagsInQuery: tags };
  }
  return { url: http.tag(repository, first), tagsInQuery: others };
}

/** The headers for `ifTag`: a tag's entity tag is the digest of its manifest. RFC 9110, section 13.1. */
export function condition(ifTag: Digest | null | undefined): Readonly<Record<string, string>> {
  if (ifTag === undefined) return {};
  return ifTag === null ? { 'if-none-match': '*' } : { 'if-match': `"${ifTag}"` };
}
