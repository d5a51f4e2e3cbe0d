// The ids of uploads that consist of one upload in each member.
import { fromBase64Url, RegistryError, toBase64Url } from '../../../model/index.ts';

/** The members' ids of one upload, in their order; null where a member has none. */
export type MemberIds = readonly (string | null)[];

/** A parsed id. */
export interface KnownUpload {
  /** The random part of the id, by which the upload is remembered. */
  readonly key: string;
  /** The members' own ids. */
  readonly ids: MemberIds;
}

/** Characters of the longest id. It is part of a URL, which should support at least 8,000 (RFC 9110, section 4.1). */
const longestId = 4096;

/** Uploads that are remembered at most. */
const maxKnown = 8192;

const version = 1;

/**
 * Ids of uploads in several members. Such an id contains the members' own ids, so any process can resume the upload. If
 * they are too long for a URL together, only this process can resume it, as it remembers the latest uploads.
 */
export class UnifiedUploadIds {
  readonly #count: number;
  readonly #longest: number;
  readonly #known = new Map<string, { ids: MemberIds; busy: boolean }>();

  /**
   * @param count the number of members
   * @param longest characters of the longest id
   */
  constructor(count: number, longest: number = longestId) {
    this.#count = count;
    this.#longest = longest;
  }

  /** A random key for a new upload. */
  newKey(): string {
    return toBase64Url(crypto.getRandomValues(new Uint8Array(16)));
  }

  /** Remembers the members' ids of an upload. */
  remember(key: string, ids: MemberIds): void {
    const busy = this.#known.get(key)?.busy ?? false;
    // Deleted and set again, it becomes the last in the order of use.
    this.#known.delete(key);
    this.#known.set(key, { ids, busy });
    for (const [oldest] of this.#known) {
      if (this.#known.size <= maxKnown) break;
      this.#known.delete(oldest);
    }
  }

  /** The parts of an id. Undefined if it is no such id, or its upload is forgotten. */
  parse(id: string): KnownUpload | undefined {
    if (id.length > this.#longest) return undefined;
    const value = parseJson(id);
    if (!Array.isArray(value)) return undefined;
    const [said, key, carried, ...more] = value as unknown[];
    if (said !== version || typeof key !== 'string' || more.length > 0) return undefined;
    const ids = carried === undefined ? this.#known.get(key)?.ids : carried;
    if (!this.#areIds(ids)) return undefined;
    // Base64 has several spellings of the same bytes, but an upload has one id.
    return this.format(key, ids) === id ? { key, ids } : undefined;
  }

  #areIds(value: unknown): value is MemberIds {
    if (!Array.isArray(value) || value.length !== this.#count) return false;
    const ids = value as unknown[];
    return ids.every((id) => id === null || typeof id === 'string') && ids.some((id) => id !== null);
  }

  /** The id of an upload with these ids of the members. */
  format(key: string, ids: MemberIds): string {
    const whole = encode([version, key, ids]);
    return whole.length > this.#longest ? encode([version, key]) : whole;
  }

  /** The ids of the remembered uploads, by a member's own id of each. */
  byIdOf(i: number): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    for (const [key, { ids }] of this.#known) {
      const id = ids[i];
      if (id !== undefined && id !== null) found.set(id, this.format(key, ids));
    }
    return found;
  }

  /**
   * Locks the upload for one writer. Two writers at once might each win in another member.
   *
   * @throws RegistryError BLOB_UPLOAD_INVALID if another request is writing to the upload
   * @returns releases the lock
   */
  acquire(key: string, ids: MemberIds): () => void {
    if (this.#known.get(key)?.busy === true) {
      throw new RegistryError('BLOB_UPLOAD_INVALID', 'another request is writing to this upload');
    }
    this.remember(key, ids);
    const known = this.#known.get(key);
    if (known !== undefined) known.busy = true;
    return () => {
      const last = this.#known.get(key);
      if (last !== undefined) last.busy = false;
    };
  }

  /** Forgets an upload that has ended. */
  forget(key: string): void {
    this.#known.delete(key);
  }
}

function encode(value: unknown): string {
  return toBase64Url(new TextEncoder().encode(JSON.stringify(value)));
}

function parseJson(text: string): unknown {
  const bytes = fromBase64Url(text);
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
