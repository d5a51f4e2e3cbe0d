import { RegistryError } from '../../model/index.ts';

import { isJsonObject, parseJsonObject } from '../content/index.ts';
import type { JsonObject } from '../content/index.ts';

/** Bytes: a chunk is in memory before it is handed on. */
export const maxChunkSize: number = 16 * 1024 * 1024;

/** What an image of an operating system is. Not all who build one say all of it. */
export interface OsProductInfo {
  /** As `ID` in os-release: `metropolis-node`. */
  id: string;
  name?: string;
  version?: string;
  /** The architecture, and flags of the build behind dashes: `x86_64-debug`. */
  variant?: string;
  commit_hash?: string;
  commit_date?: string;
  build_tree_dirty?: boolean;
  components?: readonly { id: string; version: string }[];
}

export interface OsPayloadInfo {
  /** Letters, digits, `.`, `_` and `-`, at most 80 of them: `kernel.efi`. */
  name: string;
  /** Bytes when it is not compressed. */
  size: number;
  /** Bytes of all chunks but the last one; at most 16 MiB. */
  hash_chunk_size: number;
  /** The sha256 of each chunk, not compressed, as base64 without padding. */
  chunk_hashes_sha256: readonly string[];
}

/** The config of an image of an operating system, format version 1. */
export interface OsImageConfig {
  format_version: '1';
  product_info: OsProductInfo;
  /** One for each layer of the image, in the same order. */
  payloads: readonly OsPayloadInfo[];
}

/**
 * @throws RegistryError UNSUPPORTED if it is of another version; MANIFEST_INVALID, naming the field
 */
export function parseOsImageConfig(bytes: Uint8Array): OsImageConfig {
  const config = parseJsonObject(bytes);
  if (config === undefined) throw new RegistryError('MANIFEST_INVALID', 'the config is not a JSON object');
  const { payloads = [] } = config;
  const whole: JsonObject = { ...config, payloads };
  assertFields(whole);
  return whole;
}

function assertFields(config: JsonObject): asserts config is JsonObject & OsImageConfig {
  const { format_version: version, product_info: product, payloads } = config;
  if (version !== '1') {
    throw new RegistryError('UNSUPPORTED', 'the version of the config’s format is another one than 1');
  }
  if (!isJsonObject(product) || typeof product['id'] !== 'string') throw invalid('product_info');
  if (!Array.isArray(payloads)) throw invalid('payloads');
  const names = new Set<unknown>();
  for (const [i, payload] of payloads.entries()) {
    if (!isJsonObject(payload)) throw invalid(`payloads[${i}]`);
    checkPayload(payload, `payloads[${i}]`);
    if (names.has(payload['name'])) throw invalid(`payloads[${i}].name`);
    names.add(payload['name']);
  }
}

/** It becomes the name of a file or a partition somewhere. */
const namePattern = /^(?![._])[0-9A-Za-z._-]{1,80}(?<!\.)$/;

function checkPayload(payload: JsonObject, path: string): void {
  const { name, size, hash_chunk_size: chunkSize, chunk_hashes_sha256: hashes = [] } = payload;
  if (typeof name !== 'string' || !namePattern.test(name)) throw invalid(`${path}.name`);
  if (!isCount(size)) throw invalid(`${path}.size`);
  if (!isCount(chunkSize) || chunkSize === 0 || chunkSize > maxChunkSize) throw invalid(`${path}.hash_chunk_size`);
  const count = Math.ceil(size / chunkSize);
  if (!Array.isArray(hashes) || hashes.length !== count || !hashes.every((hash) => typeof hash === 'string')) {
    throw invalid(`${path}.chunk_hashes_sha256`);
  }
  payload['chunk_hashes_sha256'] = hashes;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function invalid(field: string): RegistryError {
  return new RegistryError('MANIFEST_INVALID', `the ${field} of the config is missing or malformed`, {
    detail: { field },
  });
}
