import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';

import { afterEach, describe, expect, it } from 'vitest';

import { HttpError } from '../../model/index.ts';

import type { ClientOptions } from './options.ts';
import type { ClientRequest } from './request.ts';
import { createTransport } from './transport.ts';
import type { Transport } from './transport.ts';

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

/** A real server on a free port; gives its `HOST:PORT`. */
async function listen(handle: Handle): Promise<string> {
  const server = createServer(handle);
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return `127.0.0.1:${address.port}`;
}

async function transportTo(handle: Handle, options: Partial<ClientOptions> = {}): Promise<Transport> {
  return createTransport({ host: await listen(handle), ...options }, () => undefined);
}

function request(transport: Transport, changes: Partial<ClientRequest> & { path?: string } = {}): ClientRequest {
  const { path = '/v2/', ...others } = changes;
  return {
    method: 'GET',
    url: new URL(path, transport.base),
    scope: [{ type: 'repository', resource: 'a', action: 'pull' }],
    expect: [200],
    call: {},
    repeatable: true,
    lane: 'small',
    ...others,
  };
}

describe('a transport', () => {
  it('gives an answer with an expected status, and its body', async () => {
    const transport = await transportTo((_, response) => response.end('hello'));
    const answer = await transport.send(request(transport));
    expect(answer.status).toBe(200);
    expect(new TextDecoder().decode(await answer.bytes(100))).toBe('hello');
  });

  it('makes an HttpError of any other status', async () => {
    const transport = await transportTo((_, response) => response.writeHead(418).end('short and stout'));
    const error: unknown = await transport.send(request(transport)).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(HttpError);
    expect(error).toMatchObject({ status: 418, body: 'short and stout', method: 'GET' });
  });
});
