import { parseWarnings } from '../../wire/index.ts';

import { remember } from '../shared/index.ts';

/** Texts that are remembered. Whoever says more that is new is told again. */
const maxRemembered = 200;

/** Hands each warning of a registry on once. Distribution specification, "Warnings". */
export class WarningsOnce {
  readonly #onWarning: ((text: string) => void) | undefined;
  readonly #seen = new Map<string, true>();

  constructor(onWarning: ((text: string) => void) | undefined) {
    this.#onWarning = onWarning;
  }

  learn(headers: Headers): void {
    const header = headers.get('warning');
    if (header === null || this.#onWarning === undefined) return;
    for (const text of parseWarnings(header)) {
      if (this.#seen.has(text)) continue;
      remember(this.#seen, text, true, maxRemembered);
      this.#onWarning(text);
    }
  }
}
