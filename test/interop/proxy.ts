// A TCP proxy before a registry that counts, holds up and cuts bytes.
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

import { afterAll, beforeAll, beforeEach } from 'vitest';

import type { TestRegistry } from './server.ts';

export type Direction = 'upload' | 'download';

/** A proxy that counts bytes, holds them up and cuts connections. */
export interface Proxy {
  /** `host:port`, to be used in place of the registry's. */
  readonly host: string;
  reference(name: string): string;
  /** Bytes that have passed since the test began. */
  passed(direction: Direction): number;
  /** Lets this many more bytes pass in a direction, then holds it up. Resolves at that moment. */
  holdAfter(direction: Direction, bytes: number): Promise<void>;
  /** Lets this many more bytes pass in a direction, then cuts all connections and sets `happened`. */
  cutAfter(direction: Direction, bytes: number): { readonly happened: boolean };
  /** Cuts all connections, and stops holding up new ones. */
  cut(): void;
}

interface Hold {
  readonly direction: Direction;
  readonly at: number;
  readonly reached: () => void;
}

/** A proxy for TCP before the registry, for the tests of one file or one `describe`. */
export function useProxy(registry: Pick<TestRegistry, 'host'> & Partial<Pick<TestRegistry, 'namespace'>>): Proxy {
  const sockets = new Set<Socket>();
  const passed = { upload: 0, download: 0 };
  let hold: Hold | undefined;

  const forward = (from: Socket, to: Socket, direction: Direction): void => {
    from.on('data', (chunk: Buffer) => {
      if (hold?.direction === direction && passed[direction] >= hold.at) {
        from.pause();
        hold.reached();
        return;
      }
      passed[direction] += chunk.length;
      if (to.write(chunk)) return;
      from.pause();
      to.once('drain', () => from.resume());
    });
    from.on('end', () => to.end());
    // A reset connection is expected here.
    from.on('error', () => to.destroy());
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
    sockets.add(from);
  };
  const cut = (): void => {
    hold = undefined;
    for (const socket of sockets) socket.destroy();
  };

  const server = createServer((client) => {
    const [hostname = '', port = ''] = registry.host.split(':');
    const upstream = connect(Number(port), hostname);
    forward(client, upstream, 'upload');
    forward(upstream, client, 'download');
  });
  beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
  beforeEach(() => {
    passed.upload = 0;
    passed.download = 0;
  });
  afterAll(() => {
    cut();
    server.close();
  });

  const host = (): string => `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    get host() {
      return host();
    },
    reference: (name) => [host(), registry.namespace, name].filter(Boolean).join('/'),
    passed: (direction) => passed[direction],
    holdAfter: (direction, bytes) =>
      new Promise((resolve) => {
        hold = { direction, at: passed[direction] + bytes, reached: resolve };
      }),
    cutAfter(direction, bytes) {
      const result = { happened: false };
      const reached = (): void => {
        result.happened = true;
        cut();
      };
      hold = { direction, at: passed[direction] + bytes, reached };
      return result;
    },
    cut,
  };
}
