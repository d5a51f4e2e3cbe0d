import { setTimeout as delay } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { failureOf } from '../../../../test/transport-to.ts';

import { loadPart } from './load-part.ts';

test('a loaded part is handed on', async () => {
  const { loadPart: itself } = await loadPart(import('./load-part.ts'), new AbortController().signal);
  expect(itself).toBe(loadPart);
});

test('a part that cannot be loaded is UNAVAILABLE, and its error says why', async () => {
  const missing = './no-such-module.ts';
  const failure = await failureOf(loadPart(import(/* @vite-ignore */ missing), undefined));
  expect(failure).toMatchObject({ code: 'UNAVAILABLE' });
  expect(failure).toHaveProperty(
    'message',
    expect.stringMatching(/^a part of the client could not be loaded: .*no-such-module/),
  );
  expect(failure).toHaveProperty('cause', expect.any(Error));
});

test('a signal ends the wait for a part', async () => {
  const reason = new Error('enough');
  const controller = new AbortController();
  const waiting = loadPart(new Promise<never>(() => undefined), controller.signal);
  await delay(1);
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
});

test('a part that fails to load after the signal rejects nothing else', async () => {
  const reason = new Error('enough');
  const late = delay(5).then(() => Promise.reject(new Error('too late')));
  await expect(loadPart(late, AbortSignal.abort(reason))).rejects.toBe(reason);
  await delay(10);
});
