import { fromBase64Url, RegistryError, toBase64Url } from '../../../model/index.ts';

/** The members' ids of one upload, in their order; null where a member has none. */
export type MemberIds = readonly (string | null)[];

export interface KnownUpload {
  /** What tells the upload from others. */
  readonly key: string;
  readonly ids: MemberIds;
}

/** Characters of an id. It is part of a URL, and RFC 9110, section 4.1, wants 8,000 to be possible for all of one. */
const longestId = 4096;

/** Uploads that are remembered. */
const maxKnown = 8192;

const version = 1;

/**
 * Ids that stand for an upload in several members. Such an id carries the members' own ids, so that any process can go on
 * with it; if they are too long for a URL together, only this one can, which remembers the latest uploads.
 */
export class UnifiedUploadIds {
  readonly #count: number;
  readonly #longest: number;
  readonly #known = new Map<string, { ids: MemberIds; busy: boolean }>();

  /** @param count how many members there are */
  constructor(count: number, longest: number = longestId) {
    this.#count = count;
    this.#longest = longest;
  }

  newKey(): string {
    return toBase64Url(crypto.getRandomValues(new Uint8Array(16)));
  }

  remember(key: string, ids: MemberIds): void {
    const busy = this.#known.get(key)?.busy ?? false;
    // Deleted and set again, it is the one that was used last.
    this.#known.delete(key);
    this.#known.set(key, { ids, busy });
    for (const [oldest] of this.#known) {
      if (this.#known.size <= maxKnown) break;
      this.#known.delete(oldest);
    }
  }

  /** Undefined if it is none of these ids, or of too many uploads ago. */
  parse(id: string): KnownUpload | undefined {
    if (id.length > this.#longest) return undefined;
    const value = parseJson(id);
    if (!Array.isArray(value)) return undefined;
    const [said, key, carried, ...more] = value as unknown[];
    if (said !== version || typeof key !== 'string' || more.length > 0) return undefined;
    const ids = carried === undefined ? this.#known.get(key)?.ids : carried;
    if (!this.#areIds(ids)) return undefined;
    // Base64 can be written in more than one way; an upload has one id.
    return this.format(key, ids) === id ? { key, ids } : undefined;
  }

  #areIds(value: unknown): value is MemberIds {
    if (!Array.isArray(value) || value.length !== this.#count) return false;
    const ids = value as unknown[];
    return ids.every((id) => id === null || typeof id === 'string') && ids.some((id) => id !== null);
  }

  /** The id of an upload that goes on with these of the members. */
  format(key: string, ids: MemberIds): string {
    const whole = encode([version, key, ids]);
    return whole.length > this.#longest ? encode([version, key]) : whole;
  }

  /** The ids of the uploads that are remembered, by the id that the member has for each. */
  byIdOf(i: number): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    for (const [key, { ids }] of this.#known) {
      const id = ids[i];
      if (id !== undefined && id !== null) found.set(id, this.format(key, ids));
    }
    return found;
  }

  /**
   * Keeps others from writing to the upload: of two that do, one might win in one member and the other one in another.
   *
   * @throws RegistryError BLOB_UPLOAD_INVALID if somebody is writing to it already
   * @returns lets go of it
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
