// The file `oci-layout`, which makes a directory an image layout.
import { join } from 'node:path';

import { isMissing } from '../../disk/index.ts';
import { isRegistryError, RegistryError } from '../../../model/index.ts';

import { identityOf, readWhole } from '../files/index.ts';
import type { Files } from '../files/index.ts';

import { withoutByteOrderMark } from './byte-order-mark.ts';
import { isObject } from './index-entry.ts';

const version = '1.0.0';

/**
 * Checks the version in `oci-layout`, if the file exists. Image specification, "oci-layout file".
 *
 * @throws RegistryError UNAVAILABLE if the file is unreadable or has another version
 */
export async function assertVersion(dir: string): Promise<void> {
  const path = markerOf(dir);
  let found: unknown;
  try {
    const marker: unknown = JSON.parse(withoutByteOrderMark(await readWhole(path)).toString());
    found = isObject(marker) ? marker['imageLayoutVersion'] : undefined;
  } catch (error) {
    if (isMissing(error)) return;
    if (isRegistryError(error)) throw error;
    throw new RegistryError('UNAVAILABLE', `${path} cannot be read`, { cause: error });
  }
  if (found === version) return;
  throw new RegistryError(
    'UNAVAILABLE',
    `${path} has version ${JSON.stringify(found)}: only version 1.0.0 is supported`,
  );
}

/** Creates `oci-layout` if it is missing. */
export async function makeMarker(dir: string, files: Files): Promise<void> {
  const path = markerOf(dir);
  if ((await identityOf(path)) !== '') return;
  await files.replace(path, [Buffer.from(JSON.stringify({ imageLayoutVersion: version }))]);
}

function markerOf(dir: string): string {
  return join(dir, 'oci-layout');
}
