// Jobs that measure the machine itself, without a server.
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { connect } from 'node:net';

import { largePiece, noise } from '../content.ts';
import { busySince } from './closed-loop.ts';
import type { Load } from './closed-loop.ts';

/** Jobs without a server. Sizes are in bytes, multiples of 1 MiB. */
export const machineJobs = {
  async hash({ size }: { size: number }): Promise<Load> {
    const piece = largePiece();
    return timed(() => {
      const sum = createHash('sha256');
      for (let left = size; left > 0; left -= piece.length) sum.update(piece);
      sum.digest();
      return Promise.resolve();
    });
  },

  async receive({ port, size }: { port: number; size: number }): Promise<Load> {
    return timed(async () => {
      const received = await receiveAll(port);
      if (received !== size) throw new Error(`${received} bytes came of ${size}`);
    });
  },

  /** Writes a file that repeats the piece of a seed. */
  async writeLarge({ file, size, seed }: { file: string; size: number; seed: number }): Promise<Load> {
    const piece = largePiece(seed);
    const handle = await open(file, 'w');
    try {
      return await timed(async () => {
        for (let left = size; left > 0; left -= piece.length) await handle.write(piece);
      });
    } finally {
      await handle.close();
    }
  },

  async writeFile({ file, size }: { file: string; size: number }): Promise<Load> {
    const piece = largePiece();
    const handle = await open(file, 'wx');
    try {
      return await timed(async () => {
        for (let left = size; left > 0; left -= piece.length) await handle.write(piece);
        await handle.datasync();
      });
    } finally {
      await handle.close();
    }
  },

  async appendDurably({ file, size, count }: { file: string; size: number; count: number }): Promise<Load> {
    const piece = noise(size);
    const handle = await open(file, 'ax');
    try {
      return await timed(async () => {
        for (let i = 0; i < count; i += 1) {
          await handle.write(piece);
          await handle.datasync();
        }
      });
    } finally {
      await handle.close();
    }
  },
};

async function timed(work: () => Promise<void>): Promise<Load> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  await work();
  const seconds = (performance.now() - started) / 1000;
  return { done: 1, seconds, busy: busySince(cpu, seconds), errors: 0 };
}

function receiveAll(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let received = 0;
    const socket = connect({
      host: '127.0.0.1',
      port,
      onread: {
        buffer: Buffer.allocUnsafe(1024 * 1024),
        callback: (length) => {
          received += length;
          return true;
        },
      },
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
  });
}
