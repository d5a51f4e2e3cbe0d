// Pushes a file as a blob in a process that a test may kill. Prints its measurements.
import { createReadStream } from 'node:fs';

import { createClient } from 'ocikit/client';
import { nodeFetch, openTransfers } from 'ocikit/node';

const [host = '', digest = '', size = '', file = '', transfers] = process.argv.slice(2);
const registry = createClient({
  host,
  fetch: nodeFetch(),
  ...(transfers === undefined ? {} : { transfers: openTransfers(transfers) }),
});
let resumed = 0;
await registry.pushBlob(
  'team/app',
  { digest: /** @type {`sha256:${string}`} */ (digest), size: Number(size) },
  () => createReadStream(file, { highWaterMark: 1024 * 1024 }),
  {
    onEvent: ({ type }) => {
      if (type === 'resumed') resumed++;
    },
  },
);
process.stdout.write(JSON.stringify({ resumed, maxRss: process.resourceUsage().maxRSS * 1024 }));
