// The warnings of a registry.
import { parseWarnings } from '../../wire/index.ts';
import { setBounded } from '../shared/index.ts';

/** Texts that are remembered. A text that was forgotten is handed on again. */
const maxRemembered = 200;

/** Hands each warning of a registry on once. Distribution specification, "Warnings". */
export class WarningsOnce {
  readonly #onWarning: ((text: string) => void) | undefined;
  readonly #seen = new Map<string, true>();

  constructor(onWarning: ((text: string) => void) | undefined) {
    this.#onWarning = onWarning;
  }

  /** Hands on the warnings of a response that are new. */
  learn(headers: Headers): void {
    const header = headers.get('warning');
    if (header === null || this.#onWarning === undefined) return;
    for (const text of parseWarnings(header)) {
      if (this.#seen.has(text)) continue;
      setBounded(this.#seen, text, true, maxRemembered);
      this.#onWarning(text);
    }
  }
}
