import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { startDaemon } from './daemon.ts';
import type { Daemon, DaemonStart } from './daemon.ts';

let directory = '';
let daemon: Daemon | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ocikit-bench-test-'));
});
afterEach(async () => {
  await daemon?.stop();
  daemon = undefined;
  await rm(directory, { recursive: true });
});

/** A daemon that is a script of Node, and a question that is one too. */
function scripts(script: string, question: string): DaemonStart {
  const node = (code: string): { file: string; args: string[] } => ({ file: process.execPath, args: ['-e', code] });
  return {
    name: 'the daemon',
    program: node(script),
    args: [],
    address: 'somewhere',
    logFile: join(directory, 'log'),
    answers: node(question),
    patience: 20,
  };
}

describe('a daemon', () => {
  test('is started once its question is answered, and can be stopped', async () => {
    const ready = JSON.stringify(join(directory, 'ready'));
    const start = scripts(
      `fs.writeFileSync(${ready}, ''); setInterval(() => {}, 1000)`,
      `process.exit(fs.existsSync(${ready}) ? 0 : 1)`,
    );
    daemon = await startDaemon(start);
    expect(daemon.address).toBe('somewhere');
    await daemon.stop();
  });

  test('that ends by itself fails with its code and its log', async () => {
    const start = scripts(`console.error('no room'); process.exit(3)`, 'process.exit(1)');
    await expect(startDaemon(start)).rejects.toThrow(/^the daemon ended: 3\nno room/);
  });

  test('that cannot be started fails', async () => {
    const start = { ...scripts('', 'process.exit(1)'), program: { file: join(directory, 'missing'), args: [] } };
    await expect(startDaemon(start)).rejects.toThrow('ENOENT');
  });
});
