import { describe, expect, test } from 'vitest';

import { digestOf } from '../../model/index.ts';

import { listen } from '../../../test/listen.ts';
import { startServer } from '../../../test/start-server.ts';
import { failureOf } from '../../../test/transport-to.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';

import { createClient, explain } from './index.ts';

describe('a client', () => {
  test('cannot be made for an invalid host', () => {
    expect(() => createClient({ host: 'registry.test/path' })).toThrow(
      expect.objectContaining({ code: 'NAME_INVALID' }),
    );
  });

  test('sends nothing for a malformed name', async () => {
    let count = 0;
    const client = createClient({ host: await listen(() => count++) });
    const digest = digestOf(new Uint8Array());
    for (const call of [
      () => client.getTag('a/../b', 'v1'),
      () => client.resolveBlob('A', digest),
      () => client.startUpload('..'),
      () => client.deleteManifest('a?b', digest),
    ]) {
      expect(await failureOf(call())).toMatchObject({ code: 'NAME_INVALID' });
    }
    expect(count).toBe(0);
  });

  test('explains every failure by the requests of the failed call alone', async () => {
    const server = await startServer(createMemoryRegistry());
    try {
      const client = createClient({ host: new URL(server.url).host });
      const options = {};
      const bytes = Uint8Array.of(1, 2, 3);
      await client.pushBlob('a', { digest: digestOf(bytes) }, bytes, options);
      const missing = digestOf(Uint8Array.of(4));
      expect(explain(await failureOf(client.resolveBlob('a', missing, options)))?.requests).toMatchObject([
        { method: 'HEAD', status: 404 },
      ]);
      expect(explain(await failureOf(client.pushBlob('a', { digest: missing }, bytes, options)))?.scope).toContain(
        'repository:a:push',
      );
    } finally {
      await server.close();
    }
  });

  test('detects that a registry answers with something else under the right name', async () => {
    const bytes = new TextEncoder().encode('{"schemaVersion":2}');
    const digest = digestOf(new TextEncoder().encode('something else'));
    let count = 0;
    const client = createClient({
      host: await listen((_, response) => {
        count++;
        const headers = { 'content-type': 'application/vnd.oci.image.index.v1+json', 'docker-content-digest': digest };
        response.writeHead(200, headers).end(bytes);
      }),
    });
    const error = await failureOf(client.getManifest('a', digest));
    expect(error).toMatchObject({ code: 'DIGEST_INVALID' });
    expect(explain(error)?.requests).toMatchObject([{ status: 200, digest }]);
    expect(count).toBe(1);
  });
});
