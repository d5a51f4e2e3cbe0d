// Content in a layout, as another tool writes it.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { splitDigest } from '../src/model/index.ts';
import type { TestBlob, TestManifest } from '../src/testing/index.ts';

/** Writes blobs and manifests, with all that they name, below a layout's directory. */
export async function writeBlobs(dir: string, ...contents: readonly (TestBlob | TestManifest)[]): Promise<void> {
  for (const content of contents) {
    const { algorithm, encoded } = splitDigest(content.descriptor.digest);
    const path = join(dir, 'blobs', algorithm, encoded);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content.bytes);
    if ('blobs' in content) await writeBlobs(dir, ...content.blobs, ...content.manifests);
  }
}
