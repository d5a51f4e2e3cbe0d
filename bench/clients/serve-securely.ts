// Serves a directory over HTTPS, as a user of the library would.
import { readFile } from 'node:fs/promises';

import { openLayouts } from 'ocikit/layout';
import { serve } from 'ocikit/serve';

const [root = '', port = '', cert = '', key = '', durability = 'fsync'] = process.argv.slice(2);
const registry = openLayouts(root, { durability: durability === 'none' ? 'none' : 'fsync' });
const tls = { cert: await readFile(cert), key: await readFile(key) };
const serving = await serve(registry, { port: Number(port), tls });
process.once('SIGTERM', () => void serving.close().then(() => registry.close()));
