// Puts the names that callers know into errors, in place of the names inside.
import { HttpError, RedirectError, RegistryError } from '../../model/index.ts';
import type { ErrorInfo } from '../../model/index.ts';

/** Depth of a chain of causes, or of a detail. A deeper one is probably circular, and is cut off. */
const deepest = 8;

/** A name inside, and the name for callers. A name that ends in a slash is the beginning of names. */
export type Rewording = readonly [name: string, instead: string];

/**
 * Replaces names in texts, details and errors. A view that shows repositories under names of its own must not reveal
 * the names inside. A value without such a name is returned as it is, as the same object.
 */
export class Wording {
  readonly #instead: ReadonlyMap<string, string>;
  readonly #pattern: RegExp;

  /** @param names if two fit at the same place, the first one counts */
  constructor(names: readonly Rewording[]) {
    const both = names.flatMap(([name, instead]): Rewording[] => [
      [name, instead],
      [encodeURIComponent(name), encodeURIComponent(instead)],
    ]);
    this.#instead = new Map(both.toReversed());
    const parts = both.map(([name]) => literal(name) + (/(?:\/|%2F)$/.test(name) ? '' : '(?![a-z0-9]|[._-]+[a-z0-9])'));
    // The character before it decides whether it is a name or a part of one. In a URL that may be an encoded character.
    this.#pattern = new RegExp(`(?:(?<=%[0-9A-Fa-f]{2})|(?<![a-z0-9._-]))(?:${parts.join('|')})`, 'g');
  }

  /** The text with the names replaced. */
  text(text: string): string {
    return text.replace(this.#pattern, (name) => this.#instead.get(name) ?? name);
  }

  /** The value, which has to be serialisable as JSON, with the names replaced in all its strings and keys. */
  detail(value: unknown, depth: number = 0): unknown {
    if (typeof value === 'string') return this.text(value);
    if (typeof value !== 'object' || value === null) return value;
    if (depth > deepest) return undefined;
    if (Array.isArray(value)) {
      const items = value.map((item): unknown => this.detail(item, depth + 1));
      return items.every((item, i) => item === value[i]) ? value : items;
    }
    const entries = Object.entries(value).map(([key, each]) => ({
      before: { key, each: each as unknown },
      after: { key: this.text(key), each: this.detail(each, depth + 1) },
    }));
    if (entries.every(({ before, after }) => before.key === after.key && before.each === after.each)) return value;
    return Object.fromEntries(entries.map(({ after }) => [after.key, after.each]));
  }

  /** The same error with the names replaced. A RedirectError stays as it is: its URLs have to work. */
  error(error: unknown, depth: number = 0): unknown {
    if (!(error instanceof Error) || error instanceof RedirectError) return error;
    const cause = depth < deepest ? this.error(error.cause, depth + 1) : undefined;
    const message = this.text(error.message);
    const detail = error instanceof RegistryError ? this.detail(error.detail) : undefined;
    const isSame = message === error.message && cause === error.cause;
    if (error instanceof HttpError) return this.#httpError(error, { cause, detail }, isSame);
    if (isSame && (!(error instanceof RegistryError) || detail === error.detail)) return error;
    const causes = cause === undefined ? {} : { cause };
    if (error instanceof RegistryError) {
      const { code, retryAfter, challenge } = error;
      return new RegistryError(code, message, { ...causes, detail, retryAfter, challenge });
    }
    const { name } = error;
    const code = 'code' in error ? { code: error.code } : {};
    return Object.assign(new Error(message, causes), { name, ...code });
  }

  #httpError(error: HttpError, reworded: { cause: unknown; detail: unknown }, isSame: boolean): HttpError {
    const { status, method, retryAfter, challenge } = error;
    const errors = error.errors.map((info) => this.detail(info) as ErrorInfo);
    const body = error.body === undefined ? undefined : this.text(error.body);
    const same = isSame && body === error.body && reworded.detail === error.detail;
    if (same && errors.every((info, i) => info === error.errors[i])) return error;
    return new HttpError({
      status,
      method,
      url: this.text(error.url),
      errors,
      detail: reworded.detail,
      retryAfter,
      challenge,
      ...(body === undefined ? {} : { body }),
      ...(reworded.cause === undefined ? {} : { cause: reworded.cause }),
    });
  }
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, String.raw`\$&`);
}
