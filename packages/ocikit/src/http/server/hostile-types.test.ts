// Tests that no registry behind the server can make a browser run what it serves.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, onTestFinished, test } from 'vitest';

import { startServer } from '../../../test/start-server.ts';
import { digestOf, mediaTypes, partialRegistry } from '../../model/index.ts';
import type { Manifest, Registry } from '../../model/index.ts';
import { openLayouts } from '../../stores/layout/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';

const page = new TextEncoder().encode('<script>alert(1)</script>');
const digest = digestOf(page);

/** A registry with one manifest. It notes the types of pushed ones. */
function registryOf(mediaType: string, pushedAs: string[] = []): Registry {
  const descriptor = { mediaType, digest, size: page.length };
  const manifest = async (): Promise<Manifest> => ({ descriptor, bytes: page });
  const resolved = async (): Promise<Manifest['descriptor']> => descriptor;
  return partialRegistry({
    getManifest: manifest,
    getTag: manifest,
    resolveManifest: resolved,
    resolveTag: resolved,
    pushManifest: async (_repository, _bytes, type) => {
      pushedAs.push(type);
      return { descriptor, tags: [] };
    },
  });
}

describe('a manifest of a registry behind the server', () => {
  test.each([
    ['text/html', mediaTypes.octetStream],
    ['TEXT/HTML; charset=utf-8', mediaTypes.octetStream],
    ['image/svg+xml', mediaTypes.octetStream],
    ['application/xhtml+xml', mediaTypes.octetStream],
    ['not a type', mediaTypes.octetStream],
    ['text/html\r\nX-Injected: 1', mediaTypes.octetStream],
    ['application/vnd.example.thing+json', 'application/vnd.example.thing+json'],
    [mediaTypes.imageManifest, mediaTypes.imageManifest],
  ])('that is said to be %j is served as %s', async (said, served) => {
    const server = await startServer(registryOf(said));
    for (const path of [`/v2/a/manifests/${digest}`, '/v2/a/manifests/v1']) {
      for (const method of ['GET', 'HEAD']) {
        const response = await server.fetch(path, { method });
        expect([response.status, response.headers.get('content-type')]).toEqual([200, served]);
        expect(response.headers.get('x-content-type-options')).toBe('nosniff');
        expect(response.headers.get('x-injected')).toBeNull();
      }
    }
  });

  test.each([
    [{ 'content-type': 'text/html' }, page],
    [{ 'content-type': 'application/xhtml+xml; charset=utf-8' }, page],
    [{}, new TextEncoder().encode(JSON.stringify({ mediaType: 'text/html' }))],
  ])('that is pushed with %o is no page for the registry either', async (headers, body) => {
    const pushedAs: string[] = [];
    const server = await startServer(registryOf('text/html', pushedAs));
    expect((await server.raw('PUT', '/v2/a/manifests/v1', headers, body)).status).toBe(201);
    expect(pushedAs).toEqual([mediaTypes.octetStream]);
    const strict = await startServer(createMemoryRegistry());
    const refused = await strict.raw('PUT', '/v2/a/manifests/v1', headers, body);
    expect([refused.status, refused.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
    expect(refused.body).toMatch(/text\/html|application\/xhtml\+xml/);
    expect(refused.body).not.toContain(mediaTypes.octetStream);
  });

  test('in a directory whose index.json says text/html is served as bytes', async () => {
    const root = await mkdtemp(join(tmpdir(), 'ocikit-'));
    onTestFinished(() => rm(root, { recursive: true, force: true }));
    const index = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.imageIndex, manifests: [] });
    const first = openLayouts(root);
    await first.pushManifest('app', Buffer.from(index), mediaTypes.imageIndex, { tags: ['v1'] });
    await first.close();
    await rm(join(root, 'app', '.ocikit'), { recursive: true, force: true });
    await rm(join(root, '.ocikit'), { recursive: true, force: true });
    const path = join(root, 'app', 'index.json');
    const text = await readFile(path, 'utf8');
    const [head, entries] = text.split('"manifests"');
    await writeFile(path, `${head}"manifests"${entries?.replace(mediaTypes.imageIndex, 'text/html')}`);
    const second = openLayouts(root);
    onTestFinished(() => second.close());
    const server = await startServer(second);
    const response = await server.fetch('/v2/app/manifests/v1');
    expect([response.status, response.headers.get('content-type')]).toEqual([200, mediaTypes.octetStream]);
  });
});

describe('every answer', () => {
  test.each([
    ['GET /v2/ HTTP/1.1\r\nHost: 127.0.0.1', 200],
    ['GET /v2/ HTTP/1.1\r\nHost: 127.0.0.1\r\nTE: trailers', 200],
    ['OPTIONS /v2/ HTTP/1.1\r\nHost: 127.0.0.1', 204],
    ['GET /nothing HTTP/1.1\r\nHost: 127.0.0.1', 404],
    ['POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0', 202],
    ['GARBAGE', 400],
  ])('to %j forbids to guess its type', async (head, status) => {
    const server = await startServer(createMemoryRegistry());
    const answer = await server.speak(`${head}\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*\r\nX-Content-Type-Options: nosniff\r\n`));
  });
});
