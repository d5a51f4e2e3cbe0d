import { digestOf, mediaTypes } from '../../model/index.ts';
import type {
  BlobIdentity,
  CallOptions,
  Descriptor,
  Digest,
  MountSource,
  PushManifestOptions,
  Writer,
} from '../../model/index.ts';

import { assertSize, bodyOf } from './request-body.ts';
import type { Body } from './request-body.ts';
import { wrongAnswer } from './http.ts';
import type { Http, SentRequest } from './http.ts';
import { assertPushed, ClientUpload, uploadAt, uploadsOf, uploadStateIn } from './upload.ts';

/** Distribution specification, "Push". */
export function clientWriter(
  http: Http,
  resolveBlob: (repository: string, digest: Digest) => Promise<Descriptor>,
): Writer {
  /** In one request if all bytes are at hand, else as a stream through an upload. */
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
      // Bytes at hand need not be sent to see how many they are.
      if (body.content instanceof Uint8Array) assertSize(size, body.content.length);
      try {
        await sendBlob(repository, blob, body, options);
      } finally {
        // What came of a source that failed does not have the digest, but that is not why it failed.
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
      // Who says where to go on need not ask, and is told then if it is not so.
      if (offset !== undefined) {
        return new ClientUpload(http, repository, { location: url, size: offset === 'end' ? Number.NaN : offset });
      }
      const response = await http.send({ method: 'GET', url, signal, expect: [204] });
      return new ClientUpload(http, repository, uploadStateIn(http, url, response));
    },

    async mountBlob(from, repository, digest, { algorithm, signal, onEvent } = {}) {
      // HTTP has no words for a function, and without one it would be any repository.
      const mount = typeof from === 'function' ? {} : { mount: digest, from };
      const url = uploadsOf(http, repository, { ...mount, 'digest-algorithm': algorithm });
      const response = await http.send({ method: 'POST', url, signal, expect: [201, 202] });
      if (response.status === 202) {
        return { upload: new ClientUpload(http, repository, uploadStateIn(http, url, response)) };
      }
      assertPushed(http, response, url, digest);
      const descriptor = await resolveBlob(repository, digest);
      onEvent?.({ type: 'mounted', repository, digest, size: descriptor.size, from: named(from) });
      return { descriptor };
    },

    async pushManifest(repository, bytes, mediaType, options = {}) {
      const { tags = [], signal } = options;
      signal?.throwIfAborted();
      const { url, tagsInQuery } = manifestAddress(http, repository, bytes, options);
      for (const tag of tagsInQuery) url.searchParams.append('tag', tag);
      const headers = { 'content-type': mediaType, ...condition(options.ifTag) };
      const body = new Uint8Array(bytes);
      const response = await http.send({ method: 'PUT', url, headers, body, signal, expect: [201] });
      http.location(response, url);
      const digest = options.digest ?? digestOf(bytes);
      const found = response.headers.get('docker-content-digest');
      if (found !== digest) throw wrongAnswer(url, `has the digest ${found ?? 'of nothing'}`);
      const set = new Set((response.headers.get('oci-tag') ?? '').split(',').map((tag) => tag.trim()));
      const missing = tagsInQuery.find((tag) => !set.has(tag));
      if (missing !== undefined) throw wrongAnswer(url, `does not say that it has set ${missing}`);
      // A digest as the registry says it: who compares it sees whether it is one.
      const subject = response.headers.get('oci-subject');
      return {
        descriptor: { mediaType, digest, size: bytes.length },
        tags: [...new Set(tags)],
        ...(subject === null ? {} : { subject: subject as Digest }),
      };
    },
  };
}

function named(from: MountSource | undefined): string | undefined {
  return typeof from === 'string' ? from : undefined;
}

/** By its digest if it is given or if there is no tag, else by the first tag. */
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

/** RFC 9110, section 13.1; a tag's entity tag is the digest that it is at. */
export function condition(ifTag: Digest | null | undefined): Readonly<Record<string, string>> {
  if (ifTag === undefined) return {};
  return ifTag === null ? { 'if-none-match': '*' } : { 'if-match': `"${ifTag}"` };
}
