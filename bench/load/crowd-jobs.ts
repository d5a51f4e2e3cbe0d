// Jobs of many clients at once, and of one client beside them.
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { noise } from '../content.ts';
import { busySince, expectStatus } from './closed-loop.ts';
import type { Load } from './closed-loop.ts';
import { Connection } from './connection.ts';
import { pushBlobPieces } from './pushing.ts';

/** Milliseconds between two probes. */
const betweenProbes = 5;

/** Ends the probes of this process. */
let probing = new AbortController();

/** Jobs of many clients, and probes. */
export const crowdJobs = {
  /**
   * Opens many connections, and half-open ones that have sent half of a request. Then each client pushes one blob, all
   * at once. The time is from the first request to the last answer.
   */
  async pushAtOnce(options: {
    port: number;
    repository: string;
    clients: number;
    halfOpen: number;
    size: number;
  }): Promise<Load> {
    const { port, repository, clients, halfOpen, size } = options;
    const blobs = numberedPieces(clients, size);
    const half: Socket[] = [];
    const open: Connection[] = [];
    try {
      for (let i = 0; i < halfOpen; i += 1) half.push(await openHalf(port));
      for (let i = 0; i < clients; i += 1) open.push(await Connection.open(port));
      const cpu = process.cpuUsage();
      const started = performance.now();
      await Promise.all(
        open.map((connection, i) => pushBlobPieces(connection, `${repository}-${i % 50}`, blobs(i), size)),
      );
      const seconds = (performance.now() - started) / 1000;
      return { done: clients, seconds, busy: busySince(cpu, seconds), errors: 0 };
    } finally {
      for (const connection of open) connection.close();
      for (const socket of half) socket.destroy();
    }
  },

  /**
   * Repeats a GET until {@link crowdJobs.stopProbes}. Measures the slowest answer; the first one does not count.
   *
   * @param options `fresh`: true to open a connection for each request
   */
  async probe(options: { port: number; path: string; headers: string; fresh: boolean }): Promise<Load> {
    const { port, path, headers, fresh } = options;
    if (probing.signal.aborted) probing = new AbortController();
    const { signal } = probing;
    let done = 0;
    let worst = 0;
    const began = performance.now();
    let connection = await Connection.open(port);
    try {
      await expectStatus(200, connection, `GET ${path}`, headers);
      while (!signal.aborted) {
        await delay(betweenProbes);
        const started = performance.now();
        if (fresh) {
          connection.close();
          connection = await Connection.open(port);
        }
        await expectStatus(200, connection, `GET ${path}`, headers);
        worst = Math.max(worst, performance.now() - started);
        done += 1;
      }
    } finally {
      connection.close();
    }
    return { done, seconds: (performance.now() - began) / 1000, busy: 0, errors: 0, worst };
  },

  /** Ends the probes of this process after their current answer. */
  stopProbes(): Promise<Load> {
    probing.abort();
    return Promise.resolve({ done: 0, seconds: 0, busy: 0, errors: 0 });
  },
};

/** Blobs that differ in their first bytes and share all others, so that 500 of them need no 500 MiB. */
function numberedPieces(count: number, size: number): (i: number) => { digest: string; pieces: Uint8Array[] } {
  const rest = noise(size - 16, 31);
  const made = Array.from({ length: count }, (_, i) => {
    const first = Buffer.alloc(16);
    first.writeUInt32BE(i);
    const digest = `sha256:${createHash('sha256').update(first).update(rest).digest('hex')}`;
    return { digest, pieces: [first, rest] };
  });
  return (i) => made[i] ?? { digest: '', pieces: [] };
}

/** Opens a connection and sends the beginning of a request. */
function openHalf(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      // The server may close it at any time.
      socket.on('error', () => undefined);
      socket.resume();
      socket.write('GET /v2/ HTTP/1.1\r\nHost: ');
      resolve(socket);
    });
  });
}
