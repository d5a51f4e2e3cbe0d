import { parseWarnings } from '../wire/index.ts';

/** Texts that are remembered. Whoever says more that is new is told again. */
const maxRemembered = 200;

/** Hands each warning of a registry on once. Distribution specification, "Warnings". */
export class WarningsOnce {
  readonly #onWarning: ((text: string) => void) | undefined;
  readonly #seen = new Set<string>();

  constructor(onWarning: ((text: string) => void) | undefined) {
    this.#onWarning = onWarning;
  }

  learn(headers: Headers): void {
    const header = headers.get('warning');
    if (header === null || this.#onWarning === undefined) return;
    for (const text of parseWarnings(header)) {
      if (this.#seen.has(text)) continue;
      const [oldest] = this.#seen;
      if (oldest !== undefined && this.#seen.size >= maxRemembered) this.#seen.delete(oldest);
      this.#seen.add(text);
      this.#onWarning(text);
    }
  }
}
