// A password from stdin or from the terminal, which is never shown.
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';

/** Bytes of a password that are read. */
const longest = 64 * 1024;

/**
 * Reads a password from stdin. A line end behind it does not belong to it.
 *
 * @throws Error if there is none
 */
export async function readPassword(): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of process.stdin as AsyncIterable<Buffer>) {
    pieces.push(piece);
    size += piece.length;
    if (size > longest) throw new Error(`a password on stdin has at most ${longest} bytes`);
  }
  const password = Buffer.concat(pieces)
    .toString()
    .replace(/\r?\n$/, '');
  if (password === '') throw new Error('stdin has no password');
  return password;
}

/**
 * Asks for a password twice, without showing it.
 *
 * @throws Error if stdin is no terminal, or the two differ
 */
export async function askPassword(question: string): Promise<string> {
  if (!process.stdin.isTTY) throw new Error('there is no terminal to ask for the password: use --password-stdin');
  const first = await ask(question);
  if (first === '') throw new Error('the password is empty');
  if ((await ask('Again: ')) !== first) throw new Error('the two passwords differ');
  return first;
}

async function ask(question: string): Promise<string> {
  process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await terminal.question('');
  } finally {
    terminal.close();
    process.stderr.write('\n');
  }
}
