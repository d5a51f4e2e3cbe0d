// The registry that guides pull from, whatever host they name.
import { createTestServer, imageOf } from 'ocikit/testing';
import type { TestServer } from 'ocikit/testing';

/** The images that guides may pull from any registry. */
const images = [
  'library/alpine:3',
  'library/alpine:latest',
  'library/debian:13',
  'library/nginx:1.29',
  'team/app:v1',
  'team/app:latest',
];

/** Starts the registry that stands for every other one. */
export async function startUpstream(): Promise<TestServer> {
  const server = await createTestServer();
  for (const image of images) {
    const [repository = '', tag] = image.split(':');
    await server.addRef(repository, tag, imageOf({ annotations: { image } }));
  }
  return server;
}
