import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { readFile } from 'node:fs/promises';

import { run } from './programs.ts';

/** Where a run took place, for a person: one line for each thing. */
export async function describeMachine(scratch: string): Promise<string[]> {
  const processors = cpus();
  return [
    `${processors.length} × ${processors[0]?.model ?? 'an unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB of memory`,
    `${await systemName()}, ${type()} ${release()}, Node ${process.version}`,
    `disk: ${await diskOf(scratch)}`,
    // On a machine that others use at the same time, figures say little.
    `load before the run: ${(loadavg()[0] ?? 0).toFixed(1)}`,
  ];
}

async function systemName(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(text)?.[1] ?? process.platform;
}

/** The file system and the device below a directory. */
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
 * Uses so much memory for a moment. A virtual machine gives memory that is free back to its host, and to have it again can take ten times
 * as long as what it is wanted for: whoever writes a large file first would pay for everybody.
 */
export async function bringMemory(bytes: number): Promise<void> {
  const piece = 64 * 1024 * 1024;
  const program = `const held = []; for (let at = 0; at < ${bytes}; at += ${piece}) held.push(Buffer.alloc(${piece}, 1));`;
  await run(process.execPath, ['-e', program]);
}
