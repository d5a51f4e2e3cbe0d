import { HttpError, RedirectError, RegistryError } from '../../model/index.ts';
import type { ErrorInfo } from '../../model/index.ts';

/** A chain of causes, or a detail, that goes deeper goes on in circles, or is of no use to anybody. */
const deepest = 8;

/** A name inside, and what is told instead. One that ends in a slash is the beginning of names. */
export type Rewording = readonly [name: string, instead: string];

/**
 * Says of other names what is said of some: a view that shows repositories under names of its own must not tell in an error
 * what they are called inside. What says nothing of them stays the very same object.
 */
export class Wording {
  readonly #instead: ReadonlyMap<string, string>;
  readonly #pattern: RegExp;

  /** @param names of two that fit at the same place, the first one counts */
  constructor(names: readonly Rewording[]) {
    const both = names.flatMap(([name, instead]): Rewording[] => [
      [name, instead],
      [encodeURIComponent(name), encodeURIComponent(instead)],
    ]);
    this.#instead = new Map(both.toReversed());
    const parts = both.map(([name]) => literal(name) + (/(?:\/|%2F)$/.test(name) ? '' : '(?![a-z0-9]|[._-]+[a-z0-9])'));
    // What stands before it tells whether it is a name, or a part of one. In a URL that may be an encoded character.
    this.#pattern = new RegExp(`(?:(?<=%[0-9A-Fa-f]{2})|(?<![a-z0-9._-]))(?:${parts.join('|')})`, 'g');
  }

  text(text: string): string {
    return text.replace(this.#pattern, (name) => this.#instead.get(name) ?? name);
  }

  /** Anything that serialises as JSON. */
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

  /** An error that says the same. Where content is found elsewhere has to stay what it is, or it could not be found. */
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

  #httpError(error: HttpError, told: { cause: unknown; detail: unknown }, isSame: boolean): HttpError {
    const { status, method, retryAfter, challenge } = error;
    const errors = error.errors.map((info) => this.detail(info) as ErrorInfo);
    const body = error.body === undefined ? undefined : this.text(error.body);
    const same = isSame && body === error.body && told.detail === error.detail;
    if (same && errors.every((info, i) => info === error.errors[i])) return error;
    return new HttpError({
      status,
      method,
      url: this.text(error.url),
      errors,
      detail: told.detail,
      retryAfter,
      challenge,
      ...(body === undefined ? {} : { body }),
      ...(told.cause === undefined ? {} : { cause: told.cause }),
    });
  }
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, String.raw`\$&`);
}
