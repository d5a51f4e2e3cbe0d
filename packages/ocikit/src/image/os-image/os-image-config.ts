// The config of an image of an operating system, and its validation.
import { RegistryError } from '../../model/index.ts';

import { isJsonObject, parseJsonObject } from '../content/index.ts';
import type { JsonObject } from '../content/index.ts';

/** The largest size of a chunk, in bytes, as each chunk is held in memory: 16 MiB. */
export const maxChunkSize: number = 16 * 1024 * 1024;

/** The description of an operating system. Many builders leave out fields. */
export interface OsProductInfo {
  /** As `ID` in os-release: `metropolis-node`. */
  id: string;
  /** Its name, for people. */
  name?: string;
  /** Its version. */
  version?: string;
  /** The architecture, followed by the build's flags: `x86_64-debug`. */
  variant?: string;
  /** The commit that it was built from. */
  commit_hash?: string;
  /** The date of that commit. */
  commit_date?: string;
  /** Whether the source had changes that were not committed. */
  build_tree_dirty?: boolean;
  /** The versions of its parts. */
  components?: readonly { id: string; version: string }[];
}

/** The description of one payload, such as a kernel or a partition. */
export interface OsPayloadInfo {
  /** Its name: at most 80 letters, digits, `.`, `_` and `-`, such as `kernel.efi`. */
  name: string;
  /** Its bytes, without compression. */
  size: number;
  /** The bytes of each chunk but the last: at most 16 MiB. */
  hash_chunk_size: number;
  /** The sha256 of each chunk, without compression, as base64 without padding. */
  chunk_hashes_sha256: readonly string[];
}

/** The config of an image of an operating system, format version 1. */
export interface OsImageConfig {
  /** The version of the format. */
  format_version: '1';
  /** The operating system. */
  product_info: OsProductInfo;
  /** One payload for each layer of the image, in the same order. */
  payloads: readonly OsPayloadInfo[];
}

/**
 * Parses and validates a config.
 *
 * @throws RegistryError UNSUPPORTED if it has another version; MANIFEST_INVALID, naming the field
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
    throw new RegistryError('UNSUPPORTED', 'the config’s format_version is not 1, the only version that can be read');
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

/** The names of payloads become names of files and partitions, so they must be safe there. */
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
