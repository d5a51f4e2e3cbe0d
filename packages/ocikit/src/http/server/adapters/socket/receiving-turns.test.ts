// Tests how bodies share the turns of the event loop.
import { describe, expect, test } from 'vitest';

import { ReceivingTurns } from './receiving-turns.ts';
import type { Receiver } from './receiving-turns.ts';

const mebibyte = 1024 * 1024;

interface Body extends Receiver {
  /** False while it is paused. */
  flows: boolean;
}

function bodies(turns: ReceivingTurns, count: number): Body[] {
  return Array.from({ length: count }, () => {
    const body: Body = {
      flows: false,
      pause: () => void (body.flows = false),
      resume: () => void (body.flows = true),
    };
    body.flows = turns.enter(body);
    return body;
  });
}

function receive(turns: ReceivingTurns, body: Body, bytes: number): void {
  expect(body.flows).toBe(true);
  if (!turns.count(body, bytes)) body.flows = false;
}

const flowing = (all: readonly Body[]): number => all.filter(({ flows }) => flows).length;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
async function manyTurns(): Promise<void> {
  for (let i = 0; i < 10; i++) await turn();
}

describe('bodies that arrive', () => {
  test('are received sixteen at a time, in the order of their arrival', async () => {
    const turns = new ReceivingTurns(() => 0);
    const all = bodies(turns, 500);
    expect(flowing(all)).toBe(16);
    await manyTurns();
    expect(all.map(({ flows }) => flows).lastIndexOf(true)).toBe(15);
    for (const body of all.slice(0, 3)) turns.leave(body);
    await manyTurns();
    expect(all.slice(16, 20).map(({ flows }) => flows)).toEqual([true, true, true, false]);
  });

  test('go on after a mebibyte, so that the end of one with so many bytes comes at once', async () => {
    const turns = new ReceivingTurns(() => 0);
    const [body] = bodies(turns, 17);
    if (body === undefined) throw new Error('no body');
    receive(turns, body, mebibyte);
    await manyTurns();
    expect(body.flows).toBe(true);
  });

  test('keep their places in a turn that is longer than an idle one may be silent', async () => {
    let now = 0;
    const turns = new ReceivingTurns(() => now);
    const all = bodies(turns, 17);
    await manyTurns();
    const [first] = all;
    if (first === undefined) throw new Error('no body');
    receive(turns, first, 1);
    for (const body of all.slice(1, 16)) receive(turns, body, 1);
    now += 1000;
    await turn();
    expect(all[16]?.flows).toBe(false);
  });

  test('wait again after a mebibyte and a read more, so that large ones do not keep the small ones out', async () => {
    const turns = new ReceivingTurns(() => 0);
    const all = bodies(turns, 17);
    const [large, last] = [all[0], all[16]];
    if (large === undefined || last === undefined) throw new Error('no bodies');
    receive(turns, large, mebibyte + 65_536);
    expect([large.flows, last.flows]).toEqual([false, false]);
    await manyTurns();
    expect([large.flows, last.flows]).toEqual([false, true]);
    turns.leave(last);
    await manyTurns();
    expect(large.flows).toBe(true);
  });

  test('go on without an end while no other waits, a few mebibytes in each turn', async () => {
    const turns = new ReceivingTurns(() => 0);
    const [body] = bodies(turns, 1);
    if (body === undefined) throw new Error('no body');
    for (let i = 0; i < 20; i++) {
      for (let size = 0; size < 4 * mebibyte; size += 65_536) receive(turns, body, 65_536);
      expect(body.flows).toBe(false);
      await turn();
      await turn();
    }
  });

  test('give their places up while their clients pause, but are still received', async () => {
    let now = 0;
    const turns = new ReceivingTurns(() => now);
    const all = bodies(turns, 32);
    now = 1000;
    turns.count(all[0] as Body, 1);
    await expect.poll(() => flowing(all)).toBe(31);
    expect(all[1]?.flows).toBe(true);
    // One that goes on while all places are taken waits for its turn.
    receive(turns, all[1] as Body, 1);
    expect(all[1]?.flows).toBe(false);
    now = 2000;
    await expect.poll(() => flowing(all)).toBe(32);
  });

  test('that leave while they wait are not resumed', async () => {
    const turns = new ReceivingTurns(() => 0);
    const all = bodies(turns, 17);
    turns.leave(all[16] as Body);
    turns.leave(all[0] as Body);
    await manyTurns();
    expect(flowing(all.slice(16))).toBe(0);
  });

  test('keep the place of their connection when their receiver changes', async () => {
    const turns = new ReceivingTurns(() => 0);
    const all = bodies(turns, 17);
    const next: Body = { flows: false, pause: () => undefined, resume: () => void (next.flows = true) };
    expect(turns.enter(next, all[0])).toBe(true);
    await manyTurns();
    expect(all[16]?.flows).toBe(false);
    turns.leave(next);
    await manyTurns();
    expect(all[16]?.flows).toBe(true);
  });
});

describe('new connections', () => {
  test('go before bodies, which go on as soon as a turn had none', async () => {
    const turns = new ReceivingTurns(() => 0);
    const [body] = bodies(turns, 1);
    await turn();
    for (let i = 0; i < 50; i++) {
      turns.noteConnection();
      expect(body?.flows).toBe(false);
      await turn();
    }
    await manyTurns();
    expect(body?.flows).toBe(true);
  });

  test('go before bodies that begin, too', async () => {
    const turns = new ReceivingTurns(() => 0);
    turns.noteConnection();
    const [body] = bodies(turns, 1);
    expect(body?.flows).toBe(false);
    await manyTurns();
    expect(body?.flows).toBe(true);
  });

  test('do not hold bodies up for ever', async () => {
    const turns = new ReceivingTurns(() => 0);
    const [body] = bodies(turns, 1);
    let turnsOfBody = 0;
    for (let i = 0; i < 2000; i++) {
      turns.noteConnection();
      if (body?.flows === true) turnsOfBody++;
      await turn();
    }
    expect(turnsOfBody).toBeGreaterThan(4);
    expect(turnsOfBody).toBeLessThan(100);
  });
});
