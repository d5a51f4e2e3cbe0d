// Requests of the distribution specification, without the client under test.
import type { Content, Manifest } from './content.ts';
import { emptyConfig } from './content.ts';

/** A complete answer. */
export interface Answer {
  status: number;
  body: Buffer;
  location: string;
}

export async function request(method: string, url: string, body?: Uint8Array, type?: string): Promise<Answer> {
  const response = await fetch(url, {
    method,
    signal: AbortSignal.timeout(60_000),
    ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
    headers: { accept: '*/*', ...(type === undefined ? {} : { 'content-type': type }) },
  });
  const location = response.headers.get('location') ?? '';
  return {
    status: response.status,
    body: Buffer.from(await response.arrayBuffer()),
    location: location === '' ? '' : new URL(location, url).href,
  };
}

/** Pushes a blob by POST and PUT. Returns the first answer that is no success, or the last one. */
export async function pushBlob(url: string, repository: string, { digest, bytes }: Content): Promise<Answer> {
  const started = await request('POST', `${url}/v2/${repository}/blobs/uploads/`);
  if (started.status !== 202) return started;
  return request('PUT', withDigest(started.location, digest), bytes, 'application/octet-stream');
}

/** Pushes a blob by POST, two PATCHes and PUT. */
export async function pushBlobInChunks(url: string, repository: string, { digest, bytes }: Content): Promise<Answer> {
  let at = await request('POST', `${url}/v2/${repository}/blobs/uploads/`);
  const middle = Math.floor(bytes.length / 2);
  for (const chunk of [bytes.subarray(0, middle), bytes.subarray(middle)]) {
    if (at.status !== 202) return at;
    at = await request('PATCH', at.location, chunk, 'application/octet-stream');
  }
  if (at.status !== 202) return at;
  return request('PUT', withDigest(at.location, digest));
}

export function mountBlob(url: string, repository: string, digest: string, from: string): Promise<Answer> {
  return request('POST', `${url}/v2/${repository}/blobs/uploads/?mount=${digest}&from=${from}`);
}

/** Pushes a manifest by tag, or by digest without a tag. */
export function pushManifest(
  url: string,
  repository: string,
  { digest, bytes, mediaType }: Manifest,
  tag: string = digest,
): Promise<Answer> {
  return request('PUT', `${url}/v2/${repository}/manifests/${tag}`, bytes, mediaType);
}

/** Pushes the empty configuration, and a manifest that refers only to it. */
export async function pushSmall(url: string, repository: string, manifest: Manifest, tag?: string): Promise<Answer> {
  const config = await pushBlob(url, repository, emptyConfig);
  return config.status === 201 ? pushManifest(url, repository, manifest, tag) : config;
}

export function getBlob(url: string, repository: string, digest: string): Promise<Answer> {
  return request('GET', `${url}/v2/${repository}/blobs/${digest}`);
}

export function getManifest(url: string, repository: string, reference: string): Promise<Answer> {
  return request('GET', `${url}/v2/${repository}/manifests/${reference}`);
}

export function deleteBlob(url: string, repository: string, digest: string): Promise<Answer> {
  return request('DELETE', `${url}/v2/${repository}/blobs/${digest}`);
}

export function deleteManifest(url: string, repository: string, reference: string): Promise<Answer> {
  return request('DELETE', `${url}/v2/${repository}/manifests/${reference}`);
}

function withDigest(location: string, digest: string): string {
  return `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`;
}
