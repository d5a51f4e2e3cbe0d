// The files of a root directory as data: reading, writing, and describing them without what differs each time.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

const binary = 'base64,';

/** Text, or what {@link binary} begins, by path. */
export type RootFiles = Record<string, string>;

/** Reads all files below a directory. */
export async function readRoot(dir: string): Promise<RootFiles> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const files: RootFiles = {};
  for (const path of paths.toSorted()) {
    const bytes = await readFile(path);
    const text = bytes.toString();
    files[relative(dir, path)] = Buffer.from(text).equals(bytes) ? text : binary + bytes.toString('base64');
  }
  return files;
}

/** Writes files below a directory, but no lock: the process that held it is gone. */
export async function restoreRoot(files: RootFiles, dir: string): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), bytesOf(content));
  }
  await rm(join(dir, '.ocikit/lock'), { force: true });
}

function bytesOf(content: string): Buffer {
  return content.startsWith(binary) ? Buffer.from(content.slice(binary.length), 'base64') : Buffer.from(content);
}

/** The format of each file: values that are random, or times, become names of what they are. */
export function describeRoot(files: RootFiles): Record<string, unknown> {
  const described = Object.entries(files).map(([path, content]): [string, unknown] => {
    if (!path.startsWith('.ocikit/')) return [path, content];
    const name = path.slice('.ocikit/'.length);
    if (name === 'key') return [path, bytesOf(content).length];
    if (name === 'lock') return [path, Object.keys(JSON.parse(content) as object)];
    if (name === 'used') return [path, linesOf(content).map(withoutTimes).toSorted()];
    if (name.startsWith('journal-')) return [path, journalOf(bytesOf(content))];
    if (name.startsWith('history/')) return [path, linesOf(content).map((line) => withoutRandom(JSON.parse(line)))];
    // The times of the last folds.
    if (name.startsWith('snapshots/')) return [path, content.replaceAll(/\[\d{13},"/g, '[TIME,"')];
    if (name.startsWith('uploads/')) return ['.ocikit/uploads/ID', { id: name.length, content }];
    return [path, content];
  });
  return Object.fromEntries(described);
}

function linesOf(content: string): string[] {
  return content.trimEnd().split('\n');
}

function withoutTimes(line: string): string {
  return line.replace(/\d{13}/, 'TIME');
}

function withoutRandom(record: unknown): unknown {
  return JSON.parse(JSON.stringify(record), (key, value: unknown) => {
    if (key === 'id' && typeof value === 'string') return `ID of ${value.length}`;
    if (key === 'at' && typeof value === 'number') return `TIME of ${String(value).length}`;
    if (key === 'mask' && typeof value === 'number') return 'MASK';
    return value;
  });
}

interface FileRecord {
  op: string;
  size?: number;
  mask?: number;
}

/** Decodes a journal by its description in `docs/directory-format.md`, and not with the code that is tested. */
function journalOf(bytes: Buffer): unknown[] {
  const headEnd = bytes.indexOf('\n') + 1;
  const found: unknown[] = [bytes.toString('utf8', 0, headEnd)];
  for (let at = headEnd; at < bytes.length;) {
    const [length, textLength] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 8)];
    const text = bytes.toString('utf8', at + 12, at + 12 + textLength);
    const records = JSON.parse(text) as FileRecord[];
    let contentAt = at + 12 + textLength;
    const contents = records
      .filter(({ op }) => op === 'content')
      .map(({ size = 0, mask = 0 }) => {
        const content = unmask(bytes.subarray(contentAt, contentAt + size), mask);
        contentAt += size;
        return content;
      });
    found.push({ isAligned: textLength % 4 === 0 || contents.length === 0, records: withoutRandom(records), contents });
    at += 12 + length;
  }
  return found;
}

function unmask(bytes: Buffer, mask: number): string {
  const parts = Buffer.alloc(4);
  parts.writeUInt32LE(mask);
  return Buffer.from(bytes.map((byte, i) => byte ^ (parts[i % 4] ?? 0))).toString();
}
