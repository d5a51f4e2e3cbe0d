// The machine that a benchmark runs on: its description, and its memory.
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { readFile } from 'node:fs/promises';

import { run } from './programs.ts';

/** Describes the machine for the reader of a report, one fact on a line. */
export async function describeMachine(scratch: string): Promise<string[]> {
  const processors = cpus();
  return [
    `${processors.length} × ${processors[0]?.model ?? 'an unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB of memory`,
    `${await systemName()}, ${type()} ${release()}, Node ${process.version}`,
    `disk: ${await diskOf(scratch)}`,
    // Other load on the machine makes the figures unreliable.
    `load before the run: ${(loadavg()[0] ?? 0).toFixed(1)}`,
  ];
}

async function systemName(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(text)?.[1] ?? process.platform;
}

/** Returns the file system and the device of a directory. */
async function diskOf(directory: string): Promise<string> {
  try {
    const { stdout } = await run('df', ['--output=fstype,source', directory]);
    const [fileSystem = '', device = ''] = (stdout.trim().split('\n').at(-1) ?? '').split(/\s+/);
    return `${fileSystem} on ${device}`;
  } catch {
    return 'unknown';
  }
}

/**
 * Uses this much memory for a moment. A virtual machine returns free memory to its host. Getting it back can take ten
 * times as long as the work that needs it, and the first system to write a large file would pay for all others.
 */
export async function bringMemory(bytes: number): Promise<void> {
  const piece = 64 * 1024 * 1024;
  const program = `const held = []; for (let at = 0; at < ${bytes}; at += ${piece}) held.push(Buffer.alloc(${piece}, 1));`;
  await run(process.execPath, ['-e', program]);
}
