import { setTimeout as delay } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { failureOf } from '../../../../test/transport-to.ts';

import { loaded } from './load-part.ts';

test('what has been loaded is handed on', async () => {
  const { loaded: itself } = await loaded(import('./load-part.ts'), new AbortController().signal);
  expect(itself).toBe(loaded);
});

test('what cannot be loaded is said to be unavailable, and why', async () => {
  const missing = './no-such-module.ts';
  const failure = await failureOf(loaded(import(/* @vite-ignore */ missing), undefined));
  expect(failure).toMatchObject({ code: 'UNAVAILABLE' });
  expect(failure).toHaveProperty(
    'message',
    expect.stringMatching(/^a part of the client could not be loaded: .*no-such-module/),
  );
  expect(failure).toHaveProperty('cause', expect.any(Error));
});

test('a signal ends the wait for what is being loaded', async () => {
  const reason = new Error('enough');
  const controller = new AbortController();
  const waiting = loaded(new Promise<never>(() => undefined), controller.signal);
  await delay(1);
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
});

test('a part that fails to load after the signal rejects nothing else', async () => {
  const reason = new Error('enough');
  const late = delay(5).then(() => Promise.reject(new Error('too late')));
  await expect(loaded(late, AbortSignal.abort(reason))).rejects.toBe(reason);
  await delay(10);
});
