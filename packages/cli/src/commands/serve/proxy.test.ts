import { createTestServer, imageOf } from 'ocikit/testing';
import { describe, expect, test } from 'vitest';

import { run, startServing } from '../../../test/run-command.ts';

describe('ocikit serve --proxy', () => {
  test('keeps what it fetches, says so, and takes pushes with --local', async () => {
    await using upstream = await createTestServer();
    const image = imageOf();
    await upstream.addRef('library/app', '1', image);
    const server = await startServing([
      '--proxy',
      `docker.io=${upstream.url}`,
      '--local',
      'local',
      '--cache-size',
      '1.5GiB',
    ]);
    const { url } = server;
    for (let i = 0; i < 2; i++) {
      const response = await fetch(`${url}/v2/app/manifests/1?ns=docker.io`);
      expect([response.status, await response.text()]).toEqual([200, Buffer.from(image.bytes).toString()]);
    }
    expect(upstream.requests.map(({ method }) => method)).toEqual(['GET']);
    expect((await fetch(`${url}/v2/app/manifests/1?ns=quay.io`)).status).toBe(404);
    const index = 'application/vnd.oci.image.index.v1+json';
    const pushed = await fetch(`${url}/v2/ours/manifests/v1`, {
      method: 'PUT',
      headers: { 'content-type': index },
      body: JSON.stringify({ schemaVersion: 2, mediaType: index, manifests: [] }),
    });
    expect(pushed.status).toBe(201);
    server.child.kill('SIGTERM');
    expect((await server.outcome).code).toBe(0);
    expect(server.log()).toMatch(/ cache miss tag=docker\.io\/library\/app:1\n/);
    expect(server.log()).toMatch(/ cache hit tag=docker\.io\/library\/app:1\n/);
    expect(server.log()).toMatch(
      /stores content fetched from docker\.io in .*registry-data, and pushed content in .*local/,
    );
  });

  test('takes no pushes without --local', async () => {
    await using upstream = await createTestServer();
    const { url } = await startServing(['--proxy', upstream.url, '--memory', '--quiet']);
    const response = await fetch(`${url}/v2/app/blobs/uploads/`, { method: 'POST' });
    expect([response.status, await response.text()]).toEqual([405, expect.stringContaining('no local registry')]);
  });

  test.each([
    ['--proxy', 'https://user:secret@example.org'],
    ['--proxy', 'https://example.org/path'],
    ['--proxy', 'ftp://example.org'],
    ['--proxy', ''],
    ['--proxy', 'docker.io', '--cache-size', 'much'],
    ['--proxy', 'docker.io', '--cache-size', '10XB'],
    ['--proxy', 'docker.io', '--tag-age', '5'],
    ['--local', 'somewhere'],
    ['--cache-size', '1GB'],
  ])('wrong usage is exit code 2: %s %s %s %s', async (...args) => {
    const { code, stderr } = await run(['serve', '--port', '0', ...args.filter((arg) => typeof arg === 'string')]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/error: /);
  });
});
