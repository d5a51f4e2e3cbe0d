// Copies an image from a registry into a layout, as a user of the library would.
import { createClient } from 'ocikit/client';
import { pull, push } from 'ocikit/image';
import { openLayout } from 'ocikit/layout';
import { nodeFetch } from 'ocikit/node';

const [host = '', repository = '', tag = '', directory = '', durability = 'fsync'] = process.argv.slice(2);
const layout = openLayout(directory, { durability: durability === 'none' ? 'none' : 'fsync' });
try {
  const registry = createClient({ host, fetch: nodeFetch() });
  await push(layout, repository, await pull(registry, repository, { tag }), { tags: [tag] });
} finally {
  await layout.close();
}
