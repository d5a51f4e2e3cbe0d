import { readFileSync, readlinkSync } from 'node:fs';
import { readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** What a lock says of its owner. */
export interface Owner {
  host: string;
  namespace: string;
  boot: string;
  pid: number;
  started: string;
  nonce: string;
}

/** This process, as it would be written into a lock of its own. */
export function thisProcess(): Owner {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  return {
    host: hostname(),
    namespace: readlinkSync('/proc/self/ns/pid'),
    boot: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    pid: process.pid,
    started: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '',
    nonce: 'of-a-test',
  };
}

export function lockOf(root: string): string {
  return join(root, '.ocikit', 'lock');
}

export async function ownerOf(root: string): Promise<Owner> {
  return JSON.parse(await readFile(lockOf(root), 'utf8')) as Owner;
}

/** Puts a new file in the place of the lock, as if it had been written so many milliseconds ago. */
export async function replaceLock(root: string, content: string, age = 0): Promise<void> {
  const path = lockOf(root);
  await rm(path, { force: true });
  await writeFile(path, content);
  const time = new Date(Date.now() - age);
  await utimes(path, time, time);
}
