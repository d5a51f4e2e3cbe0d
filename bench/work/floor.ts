// Work: the limits of the machine, without a registry.
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';

import { largePiece } from '../content.ts';
import type { Bench, Measured, Work } from '../bench.ts';
import type { JobName, JobOptions } from '../load/jobs.ts';
import type { Row } from '../results.ts';

const rate = { unit: 'GB/s', better: 'higher' } as const;
const hash: Row = { id: 'floor-sha256', title: 'sha256, one thread', ...rate };
const copy: Row = { id: 'floor-loopback', title: 'loopback copy, one connection', ...rate };
const write: Row = { id: 'floor-write', title: 'file written and synchronised', ...rate };
const append: Row = { id: 'floor-append', title: '4 KiB appended and synchronised', unit: 'ms', better: 'lower' };

/** Measures the machine without a registry. */
export const floor: Work = {
  name: 'floor',
  rows: () => [hash, copy, write, append],
  concerns: (system) => system.kind === 'bare',
  async run(bench) {
    const { largeSize: size, quick } = bench.settings;
    const file = join(bench.scratch.newPath('floor'));
    await bench.measure(hash, () => throughput(bench, 'hash', { size }, size));
    await bench.measure(copy, () => copyOverLoopback(bench, size));
    await bench.measure(write, () => throughput(bench, 'writeFile', { file, size }, size));
    const count = quick ? 50 : 500;
    await bench.measure(append, async () => {
      const { seconds } = await bench.prepare('appendDurably', { file: `${file}-log`, size: 4096, count });
      return { value: (seconds * 1000) / count };
    });
  },
};

async function throughput<Name extends JobName>(
  bench: Bench,
  name: Name,
  options: JobOptions<Name>,
  size: number,
): Promise<Measured> {
  const { seconds } = await bench.prepare(name, options);
  return { value: size / seconds / 1e9 };
}

/** Sends bytes from this process to the generator's. */
async function copyOverLoopback(bench: Bench, size: number): Promise<Measured> {
  const server = createServer((socket) => send(socket, size));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    return await throughput(bench, 'receive', { port, size }, size);
  } finally {
    server.close();
  }
}

function send(socket: Socket, size: number): void {
  const piece = largePiece();
  let left = size;
  const more = (): void => {
    while (left > 0) {
      left -= piece.length;
      if (!socket.write(piece)) {
        socket.once('drain', more);
        return;
      }
    }
    socket.end();
  };
  more();
}
