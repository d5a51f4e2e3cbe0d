import { expect, test } from 'vitest';

import { onAbort } from './on-abort.ts';

/** A signal that counts its event listeners. */
function countedSignal(): { controller: AbortController; count: () => number } {
  const controller = new AbortController();
  const { signal } = controller;
  let count = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    count++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    count--;
    remove(...args);
  };
  return { controller, count: () => count };
}

test('a thousand listeners of a signal are one event listener, and all are called once', () => {
  const { controller, count } = countedSignal();
  let calls = 0;
  for (let i = 0; i < 1000; i++) onAbort(controller.signal, () => calls++);
  expect(count()).toBe(1);
  controller.abort();
  controller.abort();
  expect([calls, count()]).toEqual([1000, 0]);
});

test('a removed listener is not called, and the last one takes the event listener with it', () => {
  const { controller, count } = countedSignal();
  const called: string[] = [];
  const listener = (): void => void called.push('same');
  const forget = [listener, listener, (): void => void called.push('other')].map((each) =>
    onAbort(controller.signal, each),
  );
  forget[0]?.();
  forget[0]?.();
  expect(count()).toBe(1);
  forget[1]?.();
  forget[2]?.();
  expect(count()).toBe(0);
  onAbort(controller.signal, () => called.push('later'));
  controller.abort();
  expect(called).toEqual(['later']);
});

test('a listener that another listener removes or adds during the abort is called as an event would do it', () => {
  const controller = new AbortController();
  const called: number[] = [];
  let forgetThird = (): void => undefined;
  onAbort(controller.signal, () => {
    called.push(1);
    forgetThird();
    onAbort(controller.signal, () => called.push(4));
  });
  onAbort(controller.signal, () => called.push(2));
  forgetThird = onAbort(controller.signal, () => called.push(3));
  controller.abort();
  expect(called).toEqual([1, 2]);
});
