// Work: many clients that push at once, and the answers that others get meanwhile.
import { imageManifestType, smallImage, tagName } from '../content.ts';
import type { Work } from '../bench.ts';
import type { Row } from '../results.ts';
import type { Settings } from '../settings.ts';

type Rows = Readonly<Record<'ping' | 'manifest' | 'total' | 'memory', Row>>;

function rowsOf({ crowd: { clients, halfOpen } }: Settings): Rows {
  const beside = `beside ${clients} pushes of 1 MiB`;
  const milliseconds = { unit: 'ms', better: 'lower' } as const;
  return {
    ping: { id: 'crowd-ping', title: `slowest answer of /v2/, ${beside}`, ...milliseconds },
    manifest: { id: 'crowd-manifest', title: `slowest manifest GET, ${beside}`, ...milliseconds },
    total: {
      id: 'crowd-total',
      title: `all ${clients} pushes of 1 MiB at once, with ${halfOpen.toLocaleString('en')} half-open connections`,
      ...milliseconds,
      writes: true,
    },
    memory: { id: 'memory-crowd', title: 'peak memory, after these pushes at once', unit: 'MiB', better: 'lower' },
  };
}

/** Pushes from many clients at once, and measures the slowest answers beside them. */
export const crowd: Work = {
  name: 'crowd',
  rows: (settings) => Object.values(rowsOf(settings)),
  concerns: (system) => system.kind !== 'bare' && system.copy === undefined,
  async run(bench) {
    const rows = rowsOf(bench.settings);
    const { port } = bench;
    const repository = 'bench/crowd';
    await bench.prepare('pushFirstBlobs', { port, repository });
    await bench.prepare('pushTags', { port, repository, connections: 1, first: 0, count: 1 });
    const { manifest } = smallImage(0);
    const headers = `Accept: ${imageManifestType}\r\n`;
    const path = `/v2/${repository}/manifests/${tagName(0)}`;
    await bench.check({ method: 'GET', paths: [path], headers }, ({ body }) =>
      body.length > 0 && manifest.bytes.length > 0 ? undefined : 'no manifest',
    );
    const worst = { ping: 0, manifest: 0 };
    await bench.measure(rows.total, async () => {
      const probes = Promise.all([
        // A health check opens a connection each time. A client keeps its connection.
        bench.beside('probe', { port, path: '/v2/', headers: '', fresh: true }),
        bench.beside('probe', { port, path, headers, fresh: false }),
      ]);
      // A failed probe is reported once the pushes are through.
      probes.catch(() => undefined);
      try {
        const { clients, halfOpen } = bench.settings.crowd;
        const options = { port, repository: 'bench/crowd', clients, halfOpen, size: 1024 * 1024 };
        const { seconds, busy } = await bench.prepare('pushAtOnce', options);
        await bench.beside('stopProbes', undefined);
        const [ping, get] = await probes;
        worst.ping = ping.worst ?? NaN;
        worst.manifest = get.worst ?? NaN;
        return { value: seconds * 1000, busy, generator: 'own' };
      } finally {
        await bench.beside('stopProbes', undefined);
      }
    });
    if (worst.ping > 0) {
      await bench.record(rows.ping, worst.ping);
      await bench.record(rows.manifest, worst.manifest);
    }
    await bench.measureMemory(rows.memory);
  },
};
