import {
  digestOf,
  manifestMediaTypes,
  mediaTypes,
  parseMediaType,
  splitDigest,
  wrongDigest,
} from '../../../model/index.ts';
import type { Descriptor, Digest, Manifest } from '../../../model/index.ts';
import { lengthIn } from '../../wire/index.ts';

import { digestIn, fieldsIn } from '../shared/index.ts';
import { schema1MediaTypes, unwrapSchema1 } from './schema1.ts';
import type { Answer } from '../shared/index.ts';

/** Bytes of a manifest that is read. Registries take 4 MiB, as the specification asks for, and some take more. */
export const maxManifestSize: number = 16 * 1024 * 1024;

/** All that can be read, and whatever else a registry has. */
export const acceptManifests: string = [...manifestMediaTypes, ...Object.values(schema1MediaTypes), '*/*'].join(', ');

/**
 * The descriptor of a manifest by the answer to a HEAD.
 *
 * @param requested by which digest it was asked for, if not by a tag
 * @returns undefined if the answer does not say all of it (ECR names no digest; an envelope has another size than what is in it)
 * @throws RegistryError DIGEST_INVALID if it is about another manifest
 */
export function descriptorIn(answer: Answer, requested: Digest | undefined): Descriptor | undefined {
  const said = digestIn(answer, requested);
  const digest = requested ?? said;
  const mediaType = mediaTypeIn(answer);
  const size = lengthIn(answer);
  if (digest === undefined || mediaType === undefined || size === undefined) return undefined;
  return mediaType === schema1MediaTypes.signed ? undefined : { mediaType, digest, size };
}

/**
 * The manifest that an answer is.
 *
 * @throws RegistryError DIGEST_INVALID if it does not have the digest by which it was requested, or that the answer names
 */
export async function readManifest(answer: Answer, requested: Digest | undefined): Promise<Manifest> {
  const sent = await answer.bytes(maxManifestSize);
  const said = digestIn(answer, requested);
  const isSigned = mediaTypeIn(answer) === schema1MediaTypes.signed;
  const bytes = isSigned ? unwrapSchema1(sent) : sent;
  for (const digest of [requested, said]) if (digest !== undefined) assertDigest(bytes, digest);
  const digest = requested ?? said ?? digestOf(bytes);
  const mediaType = isSigned ? schema1MediaTypes.unsigned : (mediaTypeIn(answer) ?? mediaTypeOf(bytes));
  return { descriptor: { mediaType, digest, size: bytes.length }, bytes };
}

function assertDigest(bytes: Uint8Array, expected: Digest): void {
  const found = digestOf(bytes, splitDigest(expected).algorithm);
  if (found !== expected) throw wrongDigest(expected, found);
}

/** Without its parameters, which mean nothing. Distribution specification, "Pulling manifests". */
function mediaTypeIn({ headers }: Answer): string | undefined {
  return parseMediaType(headers.get('content-type') ?? '');
}

/** What a manifest says of itself, where the answer says nothing. */
function mediaTypeOf(bytes: Uint8Array): string {
  const { mediaType } = fieldsIn(new TextDecoder().decode(bytes));
  return manifestMediaTypes.find((known) => known === mediaType) ?? mediaTypes.octetStream;
}
