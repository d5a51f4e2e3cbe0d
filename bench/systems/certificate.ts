// The certificate of the servers that serve HTTPS.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { testCertificate } from 'ocikit/testing';

import type { Certificate } from './system.ts';

/** Makes a certificate for this machine, and writes it and its key into a directory. */
export async function makeCertificate(directory: string): Promise<Certificate> {
  const made = await testCertificate(['localhost', '127.0.0.1']);
  const files = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
  await writeFile(files.cert, made.cert);
  await writeFile(files.key, made.key, { mode: 0o600 });
  return files;
}
