// Work: real clients, each from the start of its program to its end.
import { Absent } from '../bench.ts';
import type { Bench, Work } from '../bench.ts';
import { attempt } from '../commands/commands.ts';
import type { CommandClient, CommandName } from '../commands/commands.ts';
import type { CommandImage } from '../commands/images.ts';
import type { Row } from '../results.ts';
import { median } from '../statistics.ts';
import { runMeasured } from '../systems/running.ts';
import { formatSize } from './large.ts';

/** A command to measure. */
interface Step {
  readonly id: string;
  readonly title: string;
  readonly client: CommandName;
  readonly writes?: boolean;
  /** Does what has to come before the command, and is not measured. */
  before?(client: CommandClient, target: Target): Promise<void>;
  args(target: Target): readonly string[];
}

/** The registry, and the content of one repetition. */
interface Target {
  /** `ADDRESS:PORT`. */
  readonly host: string;
  /** A reference that is new in each repetition, for pushes. */
  readonly fresh: string;
  /** A reference that has been pushed. */
  readonly pushed: string;
  /** The image to push. */
  readonly image: CommandImage;
  /** A name for the image in a client's own storage. */
  readonly localName: string;
}

/** A push by a client with a storage of its own. */
function pushStep(client: 'docker' | 'podman', ...flags: string[]): Step {
  return {
    id: `${client}-push`,
    title: `${client} push`,
    client,
    writes: true,
    async before(program, { image, localName, fresh }) {
      await attempt(program.run('rmi', '--force', localName));
      await program.run('import', image.tar, localName);
      await program.run('tag', localName, fresh);
    },
    args: ({ fresh }) => ['push', ...flags, fresh],
  };
}

function pullStep(client: 'docker' | 'podman', ...flags: string[]): Step {
  return {
    id: `${client}-pull`,
    title: `${client} pull`,
    client,
    before: (program, { pushed }) => attempt(program.run('rmi', '--force', pushed)),
    args: ({ pushed }) => ['pull', ...flags, pushed],
  };
}

const movers: readonly Step[] = [
  pushStep('docker'),
  pullStep('docker'),
  pushStep('podman', '--tls-verify=false'),
  pullStep('podman', '--tls-verify=false'),
  {
    id: 'skopeo-push',
    title: 'skopeo copy from a layout',
    client: 'skopeo',
    writes: true,
    args: ({ image, fresh }) => ['copy', '--dest-tls-verify=false', `oci:${image.layout}:image`, `docker://${fresh}`],
  },
  {
    id: 'ctr-pull',
    title: 'ctr pull',
    client: 'ctr',
    before: (program, { pushed }) => attempt(program.run('images', 'rm', '--sync', pushed)),
    args: ({ pushed }) => ['images', 'pull', '--plain-http', pushed],
  },
];

const lookers: readonly Step[] = [
  {
    id: 'skopeo-inspect',
    title: 'skopeo inspect',
    client: 'skopeo',
    args: ({ pushed }) => ['inspect', '--tls-verify=false', `docker://${pushed}`],
  },
  {
    id: 'skopeo-copy',
    title: 'skopeo copy within the registry',
    client: 'skopeo',
    writes: true,
    args: ({ pushed, fresh }) =>
      ['copy', '--src-tls-verify=false', '--dest-tls-verify=false', `docker://${pushed}`].concat(`docker://${fresh}`),
  },
  {
    id: 'crane-digest',
    title: 'crane digest',
    client: 'crane',
    args: ({ pushed }) => ['digest', '--insecure', pushed],
  },
];

const smallSize = 64 * 1024;

function rowOf({ id, title, writes = false }: Step, size: 'small' | number): Row {
  const what = size === 'small' ? 'a small image' : `an image of ${formatSize(size)}`;
  return {
    id: `${id}-${size === 'small' ? 'small' : 'large'}`,
    title: `${title}, ${what}`,
    unit: 'ms',
    better: 'lower',
    writes,
  };
}

/** Real clients with a small image: what their users wait for. */
export const smallCommands: Work = {
  name: 'commands',
  rows: () => [...movers, ...lookers].map((step) => rowOf(step, 'small')),
  concerns: (system) => system.kind !== 'bare' && system.copy === undefined && system.medium === 'disk',
  async run(bench) {
    const { commandRepeats, quick } = bench.settings;
    for (const step of [...movers, ...lookers]) {
      await bench.measure(rowOf(step, 'small'), () => {
        // Its commands work as those of ocikit that synchronises.
        if (quick && bench.system.readsLike !== undefined) throw new Absent('not in --quick');
        return measureStep(bench, step, smallSize, commandRepeats);
      });
    }
  },
};

/** Real clients with a large image. Their own work takes most of the time, so one round has to do. */
export const largeCommands: Work = {
  name: 'large commands',
  rounds: 1,
  rows: ({ commandSize }) => movers.map((step) => rowOf(step, commandSize)),
  concerns: (system) => system.kind !== 'bare' && system.copy === undefined && system.medium === 'disk',
  async run(bench) {
    const { commandSize, quick } = bench.settings;
    for (const step of movers) {
      await bench.measure(rowOf(step, commandSize), () => {
        if (quick) throw new Absent('not in --quick');
        return measureStep(bench, step, commandSize, 1);
      });
    }
  },
};

/** Returns the median of the milliseconds that a command takes. */
async function measureStep(
  bench: Bench,
  step: Step,
  size: number,
  repeats: number,
): Promise<{ readonly value: number }> {
  const client = await bench.commands.get(step.client);
  if (typeof client === 'string') throw new Absent(client);
  const host = `127.0.0.1:${bench.port}`;
  const isSmall = size === smallSize;
  const repository = `bench/${isSmall ? 'small' : 'large'}`;
  // Pulled images differ from pushed ones, or a client would find their layers in its storage.
  const { blobs, manifest } = await bench.commands.image(size, 70);
  await bench.prepare('pushFiles', { port: bench.port, repository, tag: 'pulled', blobs, manifest });
  const times: number[] = [];
  for (let i = 0; i < repeats; i += 1) {
    const target: Target = {
      host,
      fresh: `${host}/bench/${step.id}-${isSmall ? i : 'large'}:1`,
      pushed: `${host}/${repository}:pulled`,
      image: await bench.commands.image(size, 71 + i),
      localName: `bench-${isSmall ? `small-${i}` : 'large'}:1`,
    };
    await step.before?.(client, target);
    if (!isSmall) await bench.settle();
    const { seconds } = await runMeasured(client.command(...step.args(target)), 300);
    times.push(seconds * 1000);
  }
  return { value: median(times) };
}
