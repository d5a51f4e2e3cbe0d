import { describe, expect, test } from 'vitest';

import { digestOf } from '../../model/index.ts';
import type { Deleter } from '../../model/index.ts';

import { failureOf, transportTo } from '../../../test/transport-to.ts';

import { clientDeleter } from './deleter.ts';
import { clientReader } from './pull/index.ts';
import { ReferrersListings } from './referrers/index.ts';
import type { Transport } from './transport/index.ts';

const digest = digestOf(new Uint8Array());

/** For a registry with the referrers API, so that nothing else needs to be kept up. */
function deleterOf(transport: Transport): Deleter {
  const listings = new ReferrersListings();
  for (const repository of ['a', 'a/b']) listings.learn(repository, 'api');
  return clientDeleter(transport, clientReader(transport, { host: '' }), listings);
}

describe('deleting', () => {
  test('sends a DELETE for a blob, a manifest and a tag', async () => {
    const seen: unknown[] = [];
    const transport = await transportTo((request, response) => {
      if (request.method === 'HEAD') {
        response.writeHead(200, {
          'docker-content-digest': digest,
          'content-type': 'application/vnd.oci.image.manifest.v1+json',
          'content-length': '2',
        });
      } else {
        seen.push([request.method, request.url, request.headers['if-match']]);
        response.writeHead(202);
      }
      response.end();
    });
    const deleter = deleterOf(transport);
    await deleter.deleteBlob('a', digest);
    await deleter.deleteManifest('a/b', digest);
    await deleter.deleteTag('a', 'v1');
    await deleter.deleteTag('a', 'v1', { ifTag: digest });
    expect(seen).toEqual([
      ['DELETE', `/v2/a/blobs/${digest}`, undefined],
      ['DELETE', `/v2/a/b/manifests/${digest}`, undefined],
      ['DELETE', '/v2/a/manifests/v1', undefined],
      ['DELETE', '/v2/a/manifests/v1', `"${digest}"`],
    ]);
  });

  test.each([200, 202, 204])('has succeeded with %i', async (status) => {
    const transport = await transportTo((_, response) => response.writeHead(status).end());
    await deleterOf(transport).deleteBlob('a', digest);
  });

  test('of something that does not exist fails with its own code', async () => {
    const transport = await transportTo((_, response) => response.writeHead(404).end('not found'));
    const deleter = deleterOf(transport);
    expect(await failureOf(deleter.deleteBlob('a', digest))).toMatchObject({ code: 'BLOB_UNKNOWN' });
    expect(await failureOf(deleter.deleteManifest('a', digest))).toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    expect(await failureOf(deleter.deleteTag('a', 'v1'))).toMatchObject({ code: 'MANIFEST_UNKNOWN' });
  });

  test('has succeeded if it was done by the attempt whose answer was lost', async () => {
    let count = 0;
    const transport = await transportTo((_, response) => {
      if (count++ === 0) response.destroy();
      else response.writeHead(404).end();
    });
    await deleterOf(transport).deleteTag('a', 'v1');
    expect(count).toBe(2);
  });

  test('has not succeeded if an earlier attempt was only refused', async () => {
    let count = 0;
    const transport = await transportTo((_, response) => response.writeHead(count++ === 0 ? 429 : 404).end());
    expect(await failureOf(deleterOf(transport).deleteTag('a', 'v1'))).toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    expect(count).toBe(2);
  });

  test.each(['NAME_UNKNOWN', 'MANIFEST_UNKNOWN'])('is refused for the reason that is given: %s', async (code) => {
    const transport = await transportTo((_, response) => {
      response.writeHead(400).end(JSON.stringify({ errors: [{ code, message: 'as zot answers' }] }));
    });
    expect(await failureOf(deleterOf(transport).deleteTag('a', 'v1'))).toMatchObject({ code });
  });

  test('is not tried where the registry does not allow it', async () => {
    let count = 0;
    const transport = await transportTo((_, response) => {
      count++;
      response.writeHead(405).end();
    });
    expect(await failureOf(deleterOf(transport).deleteTag('a', 'v1'))).toMatchObject({ code: 'UNSUPPORTED' });
    expect(count).toBe(1);
  });
});
