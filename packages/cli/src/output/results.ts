// The results of a command on stdout, as lines for a person or as JSON.
import { once } from 'node:events';

/** Writes results to stdout: a line of text or a JSON value for each. */
export interface Output {
  /** Writes one result. Resolves when stdout can take more. */
  write(value: object, line: string): Promise<void>;
}

/** The output that the option `--json` asks for. */
export function outputOf({ json }: { json?: true }): Output {
  return {
    async write(value, line) {
      const text = json === true ? JSON.stringify(value) : printable(line);
      if (process.stdout.write(`${text}\n`) || process.stdout.destroyed) return;
      await Promise.race([once(process.stdout, 'drain'), once(process.stdout, 'close')]);
    },
  };
}

/** Escapes control characters: foreign text must not add lines or move the terminal's cursor. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
