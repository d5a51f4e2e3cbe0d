// Work: our client and others download one large blob, over plain HTTP and over TLS.
import type { Bench, Measured, Work } from '../bench.ts';
import type { Row } from '../results.ts';
import type { Settings } from '../settings.ts';
import { formatSize, knownDigest } from './large.ts';

const repository = 'bench/download';

function rowsOf({ largeSize }: Settings): Readonly<Record<'plain' | 'secure' | 'share', Row>> {
  const size = formatSize(largeSize);
  const speed = { unit: 'GB/s', better: 'higher' } as const;
  return {
    plain: { id: 'download-plain', title: `download of ${size} by a client`, ...speed },
    secure: { id: 'download-tls', title: `download of ${size} by a client, TLS`, ...speed },
    share: { id: 'download-tls-share', title: 'download over TLS against plain', unit: '×', better: 'higher' },
  };
}

/** Downloads with whole programs: the start of the program counts, as it does for its user. */
export const downloads: Work = {
  name: 'downloads',
  rows: (settings) => Object.values(rowsOf(settings)),
  concerns: (system) => system.download !== undefined,
  async run(bench) {
    const rows = rowsOf(bench.settings);
    const size = bench.settings.largeSize;
    const digest = knownDigest(size);
    const known = await fetch(`http://127.0.0.1:${bench.port}/v2/${repository}/blobs/${digest}`, { method: 'HEAD' });
    if (known.status !== 200) {
      await bench.prepare('pushLarge', { port: bench.port, repository, digest, size, flow: 'patch' });
    }
    const speeds: number[] = [];
    for (const [row, certificate] of [
      [rows.plain, undefined],
      [rows.secure, await bench.certificate()],
    ] as const) {
      if (!bench.wants(row, rows.share)) continue;
      await bench.stop();
      await bench.start(certificate === undefined ? {} : { certificate });
      const run = (): Promise<Measured> => download(bench, digest, size, certificate);
      // The first download warms the server.
      await run();
      await bench.measure(row, async () => {
        const measured = await run();
        speeds.push(measured.value);
        return measured;
      });
    }
    const [plain, secure] = speeds;
    if (plain !== undefined && secure !== undefined) await bench.record(rows.share, secure / plain);
  },
};

async function download(
  bench: Bench,
  digest: string,
  size: number,
  certificate: Awaited<ReturnType<Bench['certificate']>> | undefined,
): Promise<Measured> {
  const { seconds } = await bench.download({ host: `127.0.0.1:${bench.port}`, repository, digest, certificate });
  return { value: size / seconds / 1e9 };
}
