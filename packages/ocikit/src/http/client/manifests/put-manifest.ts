// One request that stores a manifest.
import type { CallOptions, Digest } from '../../../model/index.ts';
import { formatEntityTag, repositoryScope } from '../../wire/index.ts';
import { assertStored, manifestAddress, tagAddress } from '../shared/index.ts';
import type { ClientResponse } from '../shared/index.ts';
import type { Transport } from '../transport/index.ts';

/** A manifest that is to be stored. */
export interface PushedBytes {
  /** The repository that stores it. */
  repository: string;
  /** Its bytes. */
  bytes: Uint8Array;
  /** Its media type, without parameters. */
  mediaType: string;
  /** Its digest. */
  digest: Digest;
}

/**
 * Stores a manifest and sets tags, in one request.
 *
 * @param tags if the first is undefined, the manifest is named by its digest alone
 * @returns the response; its body has been dropped
 */
export async function putManifest(
  transport: Transport,
  { repository, bytes, mediaType, digest }: PushedBytes,
  [first, ...others]: readonly (string | undefined)[],
  ifTag: Digest | null | undefined,
  call: CallOptions,
): Promise<ClientResponse> {
  const { base } = transport;
  const url = first === undefined ? manifestAddress(base, repository, digest) : tagAddress(base, repository, first);
  for (const tag of others) if (tag !== undefined) url.searchParams.append('tag', tag);
  const response = await transport.send({
    method: 'PUT',
    url,
    scope: repositoryScope(repository, 'pull', 'push'),
    headers: { 'content-type': mediaType, ...condition(ifTag) },
    body: { size: bytes.length, reopenable: true, open: () => bytes },
    expect: [200, 201, 202, 204],
    call,
    // A condition no longer holds once the request has succeeded: sent again, it would fail.
    repeatable: ifTag === undefined,
  });
  await response.discard();
  assertStored(transport, response, digest);
  return response;
}

/** RFC 9110, section 13.1; a tag's entity tag is the digest that it names. */
function condition(ifTag: Digest | null | undefined): Readonly<Record<string, string>> {
  if (ifTag === undefined) return {};
  return ifTag === null ? { 'if-none-match': '*' } : { 'if-match': formatEntityTag(ifTag) };
}
