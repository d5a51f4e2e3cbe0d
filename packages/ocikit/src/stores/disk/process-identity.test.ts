import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { describe, expect, test } from 'vitest';

import { lookUp, thisProcess } from './process-identity.ts';

describe('a process', () => {
  test('is alive while it runs', async () => {
    expect(lookUp(thisProcess())).toBe('alive');
    // A lock file keeps it as JSON.
    expect(lookUp(JSON.parse(JSON.stringify(thisProcess())) as ReturnType<typeof thisProcess>)).toBe('alive');
  });

  test('is gone when it has ended', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    const pid = child.pid ?? 0;
    await once(child, 'close');
    expect(lookUp({ ...thisProcess(), pid })).toBe('gone');
  });

  test.each([
    ['has a number that another one has now', { started: 'earlier' }],
    ['ran before the machine was started', { boot: 'earlier' }],
  ])('is gone if it %s', (_what, change) => {
    expect(lookUp({ ...thisProcess(), ...change })).toBe('gone');
  });

  test.each([
    ['on another host', { host: 'elsewhere' }],
    ['in another container', { namespace: 'pid:[1]' }],
  ])('cannot be looked up if it is %s', (_where, change) => {
    expect(lookUp({ ...thisProcess(), ...change })).toBe('elsewhere');
    expect(lookUp({ ...thisProcess(), ...change, boot: 'earlier', started: 'earlier' })).toBe('elsewhere');
  });
});
