import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, describe, expect, test } from 'vitest';

import { expectStatus, loopFor, loopThrough } from './closed-loop.ts';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A server that calls `answer` for each request; gives its port. */
async function serve(answer: RequestListener): Promise<number> {
  server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

describe('a load with a duration', () => {
  test('counts only the steps after the warm-up', async () => {
    let requests = 0;
    const port = await serve((_, response) => {
      requests += 1;
      response.end('ok');
    });
    const options = { port, connections: 3, warmUp: 0.1, seconds: 0.2 };
    const load = await loopFor(options, async (connection) => {
      await expectStatus(200, connection, 'GET /');
    });
    expect(load.errors).toBe(0);
    expect(load.done).toBeGreaterThan(0);
    expect(load.done).toBeLessThan(requests);
    expect(load.seconds).toBeGreaterThan(0.19);
    expect(load.busy).toBeGreaterThan(0);
  });

  test('counts wrong answers, and reports the first one', async () => {
    let requests = 0;
    const port = await serve((_, response) => {
      requests += 1;
      response.statusCode = requests % 2 === 0 ? 500 : 200;
      response.end('what it was');
    });
    const load = await loopFor({ port, connections: 1, warmUp: 0, seconds: 0.1 }, async (connection) => {
      await expectStatus(200, connection, 'GET /');
    });
    expect(load.errors).toBe(Math.floor(requests / 2));
    expect(load.firstError).toBe('GET /: HTTP/1.1 500 Internal Server Error what it was');
  });

  test('counts a connection that the server ends, and continues without it', async () => {
    const port = await serve((request) => request.socket.destroy());
    const load = await loopFor({ port, connections: 2, warmUp: 0, seconds: 5 }, async (connection) => {
      await expectStatus(200, connection, 'GET /');
    });
    expect(load).toMatchObject({ done: 0, errors: 2, firstError: 'the server closed the connection' });
  });
});

describe('a load with a number of steps', () => {
  test('does each step once, on any connection', async () => {
    const paths: string[] = [];
    const port = await serve((request, response) => {
      paths.push(request.url ?? '');
      response.statusCode = 201;
      response.end();
    });
    const load = await loopThrough({ port, connections: 4, first: 10, count: 20 }, async (connection, number) => {
      await expectStatus(201, connection, `POST /${number}`, '', Buffer.from('body'));
    });
    expect(load.done).toBe(20);
    expect(paths.toSorted()).toEqual(Array.from({ length: 20 }, (_, i) => `/${10 + i}`));
  });

  test('fails at a wrong answer', async () => {
    const port = await serve((_, response) => response.writeHead(404).end());
    const load = loopThrough({ port, connections: 1, first: 0, count: 5 }, async (connection) => {
      await expectStatus(200, connection, 'GET /v2/');
    });
    await expect(load).rejects.toThrow('GET /v2/: HTTP/1.1 404 Not Found');
  });
});
