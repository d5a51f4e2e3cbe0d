import { expect, describe, test } from 'vitest';

import { SingleFlight } from './single-flight.ts';

/** An action that runs until the test ends it. */
function action(): {
  start: (abandoned: AbortSignal) => Promise<string>;
  starts: AbortSignal[];
  finish: (result: string) => void;
} {
  const starts: AbortSignal[] = [];
  let finish: (result: string) => void = () => undefined;
  const start = (abandoned: AbortSignal): Promise<string> => {
    starts.push(abandoned);
    return new Promise((resolve) => {
      finish = resolve;
    });
  };
  return { start, starts, finish: (result) => finish(result) };
}

describe('a single flight', () => {
  test('runs an action once for all callers of a key', async () => {
    const { start, starts, finish } = action();
    const flights = new SingleFlight<string>('abort');
    const results = [flights.join('a', undefined, start), flights.join('a', undefined, start)];
    finish('done');
    expect(await Promise.all(results)).toEqual(['done', 'done']);
    expect(starts).toHaveLength(1);
  });

  test('runs the action again for a caller that comes after its end', async () => {
    const flights = new SingleFlight<number>('abort');
    let runs = 0;
    const start = async (): Promise<number> => ++runs;
    expect(await flights.join('a', undefined, start)).toBe(1);
    expect(await flights.join('a', undefined, start)).toBe(2);
  });

  test('gives its failure to all callers, and starts anew afterwards', async () => {
    const flights = new SingleFlight<string>('finish');
    const fail = (): Promise<string> => Promise.reject(new Error('broken'));
    const failing = [flights.join('a', undefined, fail), flights.join('a', undefined, fail)];
    for (const result of await Promise.allSettled(failing)) expect(result).toMatchObject({ status: 'rejected' });
    expect(await flights.join('a', undefined, async () => 'works')).toBe('works');
  });

  test('lets one caller leave without ending the action of the others', async () => {
    const { start, starts, finish } = action();
    const flights = new SingleFlight<string>('abort');
    const controller = new AbortController();
    const leaving = flights.join('a', controller.signal, start);
    const staying = flights.join('a', undefined, start);
    controller.abort(new Error('enough'));
    await expect(leaving).rejects.toThrow('enough');
    expect(starts[0]?.aborted).toBe(false);
    finish('done');
    expect(await staying).toBe('done');
  });

  test('aborts an action that all callers have left, and starts it again for the next', async () => {
    const { start, starts } = action();
    const flights = new SingleFlight<string>('abort');
    const controller = new AbortController();
    const leaving = flights.join('a', controller.signal, start);
    controller.abort(new Error('enough'));
    await expect(leaving).rejects.toThrow('enough');
    expect(starts[0]?.aborted).toBe(true);
    void flights.join('a', undefined, start);
    expect(starts).toHaveLength(2);
  });

  test('lets an action run on for later callers if it is to finish', async () => {
    const { start, starts, finish } = action();
    const flights = new SingleFlight<string>('finish');
    const controller = new AbortController();
    const leaving = flights.join('a', controller.signal, start);
    controller.abort(new Error('enough'));
    await expect(leaving).rejects.toThrow('enough');
    const late = flights.join('a', undefined, start);
    finish('done');
    expect(await late).toBe('done');
    expect(starts).toHaveLength(1);
    expect(starts[0]?.aborted).toBe(false);
  });

  test('starts nothing for a caller whose signal is aborted already', async () => {
    const { start, starts } = action();
    const flights = new SingleFlight<string>('finish');
    await expect(flights.join('a', AbortSignal.abort(new Error('enough')), start)).rejects.toThrow('enough');
    expect(starts).toHaveLength(0);
  });
});
