// Manifests in the responses of a registry.
import {
  digestOf,
  manifestMediaType,
  manifestMediaTypes,
  mediaTypes,
  parseMediaType,
  RegistryError,
  splitDigest,
  wrongDigest,
} from '../../../model/index.ts';
import type { Descriptor, Digest, Manifest } from '../../../model/index.ts';
import { lengthIn } from '../../wire/index.ts';
import { digestIn, fieldsIn, loadPart, redactUrl } from '../shared/index.ts';
import type { ClientResponse } from '../shared/index.ts';

import { schema1MediaTypes } from './schema1-media-types.ts';

/** Bytes of a manifest that is read. Registries take 4 MiB, as the specification asks for, and some take more. */
export const maxManifestSize: number = 16 * 1024 * 1024;

/** The `Accept` header: all types that are known here, and any other that a registry has. */
export const acceptManifests: string = [...manifestMediaTypes, ...Object.values(schema1MediaTypes), '*/*'].join(', ');

/**
 * The descriptor of a manifest, from the response to a HEAD.
 *
 * @param requested the digest that it was requested by; undefined: it was requested by a tag
 * @returns undefined if the response lacks a part of it: ECR names no digest, an envelope has another size than its
 * content, and some proxies say 0 of each response to a HEAD
 * @throws RegistryError DIGEST_INVALID if the response is about another manifest
 */
export function descriptorIn(response: ClientResponse, requested: Digest | undefined): Descriptor | undefined {
  const said = digestIn(response, requested);
  const digest = requested ?? said;
  const mediaType = mediaTypeIn(response);
  const size = lengthIn(response);
  if (digest === undefined || mediaType === undefined || size === undefined || size === 0) return undefined;
  return mediaType === schema1MediaTypes.signed ? undefined : { mediaType, digest, size };
}

/**
 * Reads the manifest in the response to a GET, and verifies it.
 *
 * @param requested the digest that it was requested by; undefined: it was requested by a tag
 * @throws RegistryError DIGEST_INVALID if it has another digest than the requested one, or than the response names;
 * UNKNOWN if nothing names its digest, and it is no JSON object, but has a type
 */
export async function readManifest(response: ClientResponse, requested: Digest | undefined): Promise<Manifest> {
  const sent = await response.bytes(maxManifestSize);
  const said = digestIn(response, requested);
  const isSigned = mediaTypeIn(response) === schema1MediaTypes.signed;
  const bytes = isSigned ? (await loadPart(import('./schema1.ts'), undefined)).unwrapSchema1(sent) : sent;
  for (const digest of [requested, said]) if (digest !== undefined) assertDigest(bytes, digest);
  const digest = requested ?? said ?? digestOfTagged(response, bytes);
  const mediaType = isSigned ? schema1MediaTypes.unsigned : (mediaTypeIn(response) ?? mediaTypeOf(bytes));
  return { descriptor: { mediaType, digest, size: bytes.length }, bytes };
}

/** The digest of bytes that nothing else verifies: neither a login's page nor encoded bytes are a tag's manifest. */
function digestOfTagged({ headers, url }: ClientResponse, bytes: Uint8Array): Digest {
  const type = headers.get('content-type');
  if (type !== null && !/^\s*\{/.test(new TextDecoder().decode(bytes.subarray(0, 99)))) {
    throw new RegistryError('UNKNOWN', `the answer of ${redactUrl(url)} is not JSON`);
  }
  return digestOf(bytes);
}

function assertDigest(bytes: Uint8Array, expected: Digest): void {
  const found = digestOf(bytes, splitDigest(expected).algorithm);
  if (found !== expected) throw wrongDigest(expected, found);
}

/** Without its parameters, which mean nothing. Distribution specification, "Pulling manifests". */
function mediaTypeIn({ headers }: ClientResponse): string | undefined {
  const said = parseMediaType(headers.get('content-type') ?? '');
  return said === undefined ? undefined : manifestMediaType(said);
}

/** The media type that a manifest names itself, for a response that names none. */
function mediaTypeOf(bytes: Uint8Array): string {
  const { mediaType } = fieldsIn(new TextDecoder().decode(bytes));
  return manifestMediaTypes.find((known) => known === mediaType) ?? mediaTypes.octetStream;
}
