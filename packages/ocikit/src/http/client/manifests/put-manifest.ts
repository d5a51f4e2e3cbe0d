import type { CallOptions, Digest, PushManifestOptions } from '../../../model/index.ts';
import { formatEntityTag, repositoryScope } from '../../wire/index.ts';

import { manifestAddress, tagAddress } from '../shared/index.ts';
import { assertStored } from '../transport/index.ts';
import type { Answer } from '../shared/index.ts';
import type { Transport } from '../transport/index.ts';

/** A manifest with the name that it will have. */
export interface PushedBytes {
  repository: string;
  bytes: Uint8Array;
  mediaType: string;
  digest: Digest;
}

/**
 * One request that stores a manifest and sets tags.
 *
 * @param tags if the first is undefined, the manifest is named by its digest alone
 */
export async function putManifest(
  transport: Transport,
  { repository, bytes, mediaType, digest }: PushedBytes,
  [first, ...others]: readonly (string | undefined)[],
  ifTag: PushManifestOptions['ifTag'],
  call: CallOptions,
): Promise<Answer> {
  const { base } = transport;
  const url = first === undefined ? manifestAddress(base, repository, digest) : tagAddress(base, repository, first);
  for (const tag of others) if (tag !== undefined) url.searchParams.append('tag', tag);
  const answer = await transport.send({
    method: 'PUT',
    url,
    scope: repositoryScope(repository, 'pull', 'push'),
    headers: { 'content-type': mediaType, ...condition(ifTag) },
    body: { size: bytes.length, reopenable: true, open: () => bytes },
    expect: [200, 201, 202, 204],
    call,
    // Done already, a condition does not hold any more.
    repeatable: ifTag === undefined,
  });
  await answer.discard();
  assertStored(transport, answer, digest);
  return answer;
}

/** RFC 9110, section 13.1; a tag's entity tag is the digest that it is at. */
function condition(ifTag: Digest | null | undefined): Readonly<Record<string, string>> {
  if (ifTag === undefined) return {};
  return ifTag === null ? { 'if-none-match': '*' } : { 'if-match': formatEntityTag(ifTag) };
}
