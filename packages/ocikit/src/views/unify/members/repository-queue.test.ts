import { describe, expect, test } from 'vitest';

import { RepositoryQueue } from './repository-queue.ts';

function gate(): { open: () => void; passed: Promise<void> } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { open, passed };
}

const moment = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

describe('a repository queue', () => {
  test('runs the actions of one repository one after another, and does not delay other repositories', async () => {
    const queue = new RepositoryQueue();
    const seen: string[] = [];
    const first = gate();
    const act = (name: string, until?: Promise<void>) => async () => {
      seen.push(`${name} begins`);
      await until;
      seen.push(`${name} ends`);
      return name;
    };
    const running = [queue.run('a', undefined, act('1', first.passed)), queue.run('a', undefined, act('2'))];
    expect(await queue.run('b', undefined, act('other'))).toBe('other');
    expect(seen).toEqual(['1 begins', 'other begins', 'other ends']);
    first.open();
    expect(await Promise.all(running)).toEqual(['1', '2']);
    expect(seen.slice(3)).toEqual(['1 ends', '2 begins', '2 ends']);
  });

  test('continues after an action that failed', async () => {
    const queue = new RepositoryQueue();
    const failing = queue.run('a', undefined, () => Promise.reject(new Error('broken')));
    const next = queue.run('a', undefined, async () => 'done');
    await expect(failing).rejects.toThrow('broken');
    expect(await next).toBe('done');
  });

  test('lets no caller in early when a waiting caller leaves', async () => {
    const queue = new RepositoryQueue();
    const first = gate();
    const seen: number[] = [];
    const running = queue.run('a', undefined, () => first.passed.then(() => void seen.push(1)));
    const controller = new AbortController();
    const reason = new Error('no longer wanted');
    const leaving = queue.run('a', controller.signal, async () => void seen.push(2));
    const third = queue.run('a', undefined, async () => void seen.push(3));
    controller.abort(reason);
    await expect(leaving).rejects.toBe(reason);
    await moment();
    expect(seen).toEqual([]);
    const fourth = queue.run('a', undefined, async () => void seen.push(4));
    first.open();
    await Promise.all([running, third, fourth]);
    expect(seen).toEqual([1, 3, 4]);
  });
});
