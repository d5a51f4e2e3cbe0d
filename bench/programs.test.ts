import { describe, expect, test } from 'vitest';

import { ProgramError, locate, locateOrInstall, run } from './programs.ts';

describe('a program', () => {
  test('is found in PATH', async () => {
    expect(await locate('sh')).toMatch(/\/sh$/);
    expect(await locate('no-such-program-here')).toBeUndefined();
  });

  test('without a source is not installed', async () => {
    expect(await locateOrInstall('no-such-program-here', undefined, 1000)).toEqual({ missing: 'not installed' });
  });

  test('is not installed without enough time, and the reason is reported', async () => {
    const outcome = await locateOrInstall('no-such-program-here', { go: 'example.com/no/such@latest' }, 0);
    expect(outcome).toEqual({ missing: 'not installed: there was no time to install it' });
  });
});

describe('running a program', () => {
  test('returns its output', async () => {
    expect(await run('sh', ['-c', 'echo out; echo err >&2'])).toEqual({ stdout: 'out\n', stderr: 'err\n' });
  });

  test('fails with the text on stderr, and keeps the text on stdout', async () => {
    const failure = await run('sh', ['-c', 'echo 1.0; echo broken >&2; exit 3']).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ProgramError);
    expect(failure).toMatchObject({ stdout: '1.0\n', message: expect.stringMatching(/: broken$/) as string });
  });

  test('fails when it takes too long', async () => {
    await expect(run('sleep', ['30'], { timeout: 50 })).rejects.toThrow('sleep 30: took too long');
  });

  test('accepts a good end after an interrupt', async () => {
    const script = 'trap "echo interrupted; exit 0" INT; while :; do sleep 0.02; done';
    expect((await run('sh', ['-c', script], { interruptAfter: 3000 })).stdout).toBe('interrupted\n');
  });
});
