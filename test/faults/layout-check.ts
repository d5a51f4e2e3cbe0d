// Checks image layouts by the image specification ("Image Layout").
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { digestOf, hexOf } from './content.ts';

/** Returns the faults of all image layouts below a directory. */
export async function faultsOfLayouts(root: string): Promise<string[]> {
  const layouts = await layoutsBelow(root);
  return (await Promise.all(layouts.map((dir) => faultsOf(dir)))).flat();
}

/** Returns the tags in an index on disk. */
export async function tagsOf(dir: string): Promise<Map<string, string>> {
  const index = JSON.parse(await readFile(join(dir, 'index.json'), 'utf8')) as Index;
  return new Map(
    index.manifests.flatMap(({ digest, annotations }) => {
      const name = annotations?.['org.opencontainers.image.ref.name'];
      return name === undefined ? [] : [[name, digest] as const];
    }),
  );
}

interface Index {
  schemaVersion: number;
  manifests: { mediaType: string; digest: string; size: number; annotations?: Record<string, string> }[];
}

/** Returns the layouts below a directory. The file `oci-layout` makes a directory a layout. */
export async function layoutsBelow(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true });
  const found = entries.some(({ name }) => name === 'oci-layout') ? [dir] : [];
  for (const entry of entries) {
    if (entry.isDirectory() && entry.name !== 'blobs' && entry.name !== '.ocikit') {
      found.push(...(await layoutsBelow(join(dir, entry.name))));
    }
  }
  return found;
}

async function faultsOf(dir: string): Promise<string[]> {
  const faults: string[] = [];
  const marker = await readJson(join(dir, 'oci-layout'), faults);
  if ((marker as { imageLayoutVersion?: string } | undefined)?.imageLayoutVersion !== '1.0.0') {
    faults.push(`${dir}/oci-layout is not of version 1.0.0`);
  }
  const index = (await readJson(join(dir, 'index.json'), faults)) as Index | undefined;
  if (index === undefined) return faults;
  if (index.schemaVersion !== 2) faults.push(`${dir}/index.json has another schemaVersion than 2`);
  for (const { digest, size, mediaType } of index.manifests) {
    if (typeof mediaType !== 'string') faults.push(`${dir}/index.json: ${digest} has no media type`);
    const bytes = await readFile(join(dir, 'blobs', 'sha256', hexOf(digest))).catch(() => undefined);
    if (bytes === undefined) faults.push(`${dir}: ${digest} of the index is missing`);
    else if (bytes.length !== size) faults.push(`${dir}: ${digest} has ${bytes.length} bytes, not ${size}`);
    else if (digestOf(bytes) !== digest) faults.push(`${dir}: ${digest} is damaged`);
  }
  const blobs = join(dir, 'blobs', 'sha256');
  for (const name of await readdir(blobs).catch(() => [])) {
    if (!/^[0-9a-f]{64}$/.test(name)) faults.push(`${blobs}/${name} is not named as a blob`);
    else if (hexOf(digestOf(await readFile(join(blobs, name)))) !== name) faults.push(`${blobs}/${name} is damaged`);
  }
  return faults;
}

async function readJson(path: string, faults: string[]): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown;
  } catch (error) {
    faults.push(`${path}: ${String(error)}`);
    return undefined;
  }
}
