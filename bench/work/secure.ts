// Work: HTTPS.
import { join } from 'node:path';

import { imageManifest, imageManifestType, smallImage, tagName } from '../content.ts';
import { Absent, bodyOf } from '../bench.ts';
import type { Bench, Measured, Work } from '../bench.ts';
import { locate } from '../programs.ts';
import type { Row } from '../results.ts';
import type { Settings } from '../settings.ts';
import { runMeasured } from '../systems/running.ts';
import { formatSize, knownDigest, throughput } from './large.ts';

type Rows = Readonly<Record<'get' | 'handshakes' | 'push' | 'pull' | 'memory', Row>>;

function rowsOf({ largeSize }: Settings): Rows {
  const size = formatSize(largeSize);
  const rate = { unit: '/s', better: 'higher' } as const;
  const speed = { unit: 'GB/s', better: 'higher', onlyBlobs: true } as const;
  return {
    get: { id: 'tls-get-tag', title: 'TLS: manifest GET by tag', ...rate },
    handshakes: { id: 'tls-handshakes', title: 'TLS: manifest GET, each on a new connection', ...rate },
    push: { id: 'tls-push-large', title: `TLS: ${size} push, one PUT`, ...speed, writes: true },
    pull: { id: 'tls-pull-large', title: `TLS: ${size} pull`, ...speed },
    memory: { id: 'memory-tls', title: 'peak memory, after these over TLS', unit: 'MiB', better: 'lower' },
  };
}

/** Measures small reads with wrk, and large blobs with curl: TLS costs both of them less than Node. */
export const secure: Work = {
  name: 'secure',
  rows: (settings) => Object.values(rowsOf(settings)),
  concerns: (system) => system.tls === true && system.copy === undefined && system.readsLike === undefined,
  async run(bench) {
    const rows = rowsOf(bench.settings);
    const repository = 'bench/secure';
    // Content is pushed without TLS: the same directory is then served with it.
    await bench.prepare('pushFirstBlobs', { port: bench.port, repository });
    await bench.prepare('pushTags', { port: bench.port, repository, connections: 1, first: 0, count: 1 });
    const size = bench.settings.largeSize;
    const digest = knownDigest(size);
    if (bench.wants(rows.pull)) {
      await bench.prepare('pushLarge', { port: bench.port, repository, digest, size, flow: 'patch' });
    }
    await bench.stop();
    await bench.start({ certificate: await bench.certificate() });

    const { config, layer } = smallImage(0);
    const length = bodyOf(imageManifest(config, layer, 0).bytes.length);
    const request = { method: 'GET', paths: [`/v2/${repository}/manifests/${tagName(0)}`] } as const;
    const accept = `Accept: ${imageManifestType}\r\n`;
    await bench.measure(rows.get, () => bench.askRate({ ...request, headers: accept }, length));
    await bench.measure(rows.handshakes, () =>
      bench.askRate({ ...request, headers: `${accept}Connection: close\r\n` }, length),
    );
    await bench.measure(rows.push, () => pushWithCurl(bench, repository, size), size);
    await bench.measure(rows.pull, () => pullWithCurl(bench, `/v2/${repository}/blobs/${digest}`, size));
    await bench.measureMemory(rows.memory);
  },
};

async function curl(): Promise<string> {
  const path = await locate('curl');
  if (path === undefined) throw new Absent('not run: curl is not installed');
  return path;
}

const quietly = ['--silent', '--show-error', '--fail', '--insecure', '--http1.1', '--output', '/dev/null'];

/** curl's time counts from its start, as a client's does. */
async function pullWithCurl(bench: Bench, path: string, size: number): Promise<Measured> {
  const url = `https://127.0.0.1:${bench.port}${path}`;
  const file = await curl();
  // Do not measure the first pull: it runs cold code.
  await runMeasured({ file, args: [...quietly, url] });
  const { seconds } = await runMeasured({ file, args: [...quietly, url] });
  return { value: size / seconds / 1e9 };
}

async function pushWithCurl(bench: Bench, repository: string, size: number): Promise<Measured> {
  const file = await curl();
  const seed = 64;
  const body = join(bench.scratch.directory, `large-${size}`);
  await bench.prepare('writeLarge', { file: body, size, seed });
  const target = `https://127.0.0.1:${bench.port}${await bench.beginUpload(repository, knownDigest(size, seed))}`;
  const upload = ['--header', 'Content-Type: application/octet-stream', '--header', 'Expect:', '--upload-file', body];
  await bench.settle();
  const { seconds } = await runMeasured({ file, args: [...quietly, ...upload, target] });
  return throughput({ done: 1, seconds, busy: 0, errors: 0 }, size);
}
