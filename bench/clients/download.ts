// Downloads a blob and discards its bytes, as a user of the library would.
import { readFile } from 'node:fs/promises';

import { parseDigest } from 'ocikit';
import { createClient } from 'ocikit/client';
import { nodeFetch } from 'ocikit/node';

const [host = '', repository = '', digest = '', ca] = process.argv.slice(2);
const authority = ca === undefined ? undefined : await readFile(ca);
const registry = createClient({
  host,
  scheme: ca === undefined ? 'http' : 'https',
  fetch: nodeFetch({ ca: authority }),
});
const content = await registry.getBlob(repository, parseDigest(digest));
let received = 0;
for await (const piece of content) received += piece.length;
if (received !== content.descriptor.size) throw new Error(`${received} bytes came of ${content.descriptor.size}`);
