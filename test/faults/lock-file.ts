// Reading and writing the lock of a layout.
import { readFileSync, readlinkSync } from 'node:fs';
import { readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** The owner in a lock. */
export interface Owner {
  host: string;
  namespace: string;
  boot: string;
  pid: number;
  started: string;
  nonce: string;
}

/** Returns this process as the owner of a lock. */
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

/** Replaces the lock by a new file with an age in milliseconds. */
export async function replaceLock(root: string, content: string, age = 0): Promise<void> {
  const path = lockOf(root);
  await rm(path, { force: true });
  await writeFile(path, content);
  const time = new Date(Date.now() - age);
  await utimes(path, time, time);
}
