// Speaking HTTP over a socket, byte by byte, for tests of a server's connections.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';

import { expect, onTestFinished } from 'vitest';

/** A socket of the test's client. */
export interface Speaker {
  socket: Socket;
  /** Everything received so far. */
  heard: () => string;
  /** Resolves once this many answers have arrived. */
  answers: (count: number) => Promise<void>;
  closed: Promise<void>;
}

/** The statuses of the answers in a text. */
export function statuses(answer: string): string[] {
  return [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status ?? '');
}

/** Resolves when the server's side of the next connection to a server of this process has closed. */
export function nextClosedByServer(): Promise<void> {
  const channel = 'net.server.socket';
  return new Promise((resolve) => {
    const onSocket = (message: unknown): void => {
      unsubscribe(channel, onSocket);
      void once((message as { socket: Socket }).socket, 'close').then(() => resolve());
    };
    subscribe(channel, onSocket);
  });
}

/** Connects to a server of this machine, until the test ends. */
export function speakTo({ port }: { port: number }, allowHalfOpen = false): Speaker {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen, noDelay: true });
  onTestFinished(() => void socket.destroy());
  let text = '';
  socket.on('data', (piece) => (text += piece.toString('latin1')));
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const answers = async (count: number): Promise<void> => {
    await expect.poll(() => statuses(text).length, { interval: 5 }).toBe(count);
  };
  return { socket, heard: () => text, answers, closed };
}
