import { once } from 'node:events';

/** Results, on stdout: lines for a person, or one JSON value for each. */
export interface Output {
  /** Resolves when there is room for more. */
  write(value: object, line: string): Promise<void>;
}

export function outputOf({ json }: { json?: true }): Output {
  return {
    async write(value, line) {
      const text = json === true ? JSON.stringify(value) : printable(line);
      if (process.stdout.write(`${text}\n`) || process.stdout.destroyed) return;
      await Promise.race([once(process.stdout, 'drain'), once(process.stdout, 'close')]);
    },
  };
}

/** What others have sent or stored must not make lines of its own, or move the terminal's cursor. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
