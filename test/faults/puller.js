// Pulls a blob and discards it, in a process that can be killed: puller.js HOST DIGEST [DIRECTORY]
import { createClient } from 'ocikit/client';
import { nodeFetch, openTransfers } from 'ocikit/node';

const [host = '', digest = '', directory] = process.argv.slice(2);
const client = createClient({
  host,
  fetch: nodeFetch(),
  backOff: { first: 1 },
  parallel: false,
  transfers: directory === undefined ? undefined : openTransfers(directory),
});
const content = await client.getBlob('large/blob', /** @type {import('ocikit').Digest} */ (digest));
let size = 0;
for await (const piece of content) size += piece.length;
// The bytes are verified once the blob has been read to its end.
process.stdout.write(JSON.stringify({ size, kilobytes: process.resourceUsage().maxRSS }));
