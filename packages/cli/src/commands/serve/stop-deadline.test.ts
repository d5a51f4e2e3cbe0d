import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';

import { startServing, temporaryDirectory } from '../../../test/run-command.ts';

import { mostToStop, StopDeadline } from './stop-deadline.ts';

describe('a stop', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  test('that takes longer than its deadline ends with 1 and names the step', () => {
    const said: unknown[] = [];
    const deadline = new StopDeadline({ write: (line) => said.push(line), exit: (code) => said.push(code) });
    deadline.enter('serving');
    vi.advanceTimersByTime(10 * mostToStop);
    deadline.begin();
    deadline.enter('finishing requests');
    deadline.enter('closing the store in /data');
    vi.advanceTimersByTime(mostToStop - 1);
    expect(said).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(said).toEqual([expect.stringMatching(/10 s .*it was still closing the store in \/data\n$/), 1]);
  });

  test('that has ended does not keep the process alive', () => {
    const deadline = new StopDeadline({ write: () => undefined, exit: () => undefined });
    const timers = vi.spyOn(globalThis, 'setTimeout');
    deadline.begin();
    const timer = timers.mock.results[0]?.value as NodeJS.Timeout;
    expect(timer.hasRef()).toBe(true);
    deadline.end();
    expect(timer.hasRef()).toBe(false);
  });
});

describe('ocikit serve', () => {
  test('cuts a request that does not end after a signal, says so, and ends with 1', async () => {
    const { url, child, outcome } = await startServing(['--quiet']);
    const location = (await fetch(`${url}/v2/app/blobs/uploads/`, { method: 'POST' })).headers.get('location') ?? '';
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => undefined);
    socket.write(`PATCH ${location} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n0`);
    await expect.poll(async () => (await fetch(url + location)).headers.get('upload-offset')).toBe('1');
    child.kill('SIGTERM');
    const { code, stderr } = await outcome;
    expect(stderr).toMatch(/cut 1 connection that was still in use after 8 s\n/);
    expect(code).toBe(1);
  });

  test.skipIf(process.platform !== 'linux')(
    'ends although threads hang in the file system, with 1 or, before Node 22.15, killed',
    async () => {
      const directory = await temporaryDirectory();
      const pipe = JSON.stringify(join(directory, 'pipe'));
      await promisify(execFile)('mkfifo', [join(directory, 'pipe')]);
      const built = new URL('../../../dist/commands/serve/stop-deadline.js', import.meta.url).href;
      const script = `
      import { readFile } from 'node:fs';
      import { exitAtOnce } from ${JSON.stringify(built)};
      for (let i = 0; i < 8; i++) readFile(${pipe}, () => undefined);
      setTimeout(() => exitAtOnce(1), 100);`;
      const child = execFile(process.execPath, ['--input-type=module', '-e', script]);
      onTestFinished(() => void child.kill('SIGKILL'));
      const ended = await new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
      expect(ended).toBe('execve' in process ? 1 : 'SIGKILL');
    },
  );
});
