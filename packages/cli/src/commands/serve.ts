import { resolve as absolute } from 'node:path';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';

import { Command, InvalidArgumentError, Option } from 'commander';
import type { Registry } from 'ocikit';
import { openLayout, openLayouts } from 'ocikit/layout';
import { createMemoryRegistry } from 'ocikit/memory';
import { serve } from 'ocikit/node';
import type { Logger } from 'ocikit/server';
import { readOnly } from 'ocikit/views';

import { graceOption, parseDuration } from '../durations.ts';
import { lineLogger } from '../log.ts';

import { Collecting } from './gc-interval.ts';
import { openProxy, proxyOptions, strayFlag } from './proxy.ts';
import type { ProxyFlags } from './proxy.ts';

interface ServeFlags extends ProxyFlags {
  host: string;
  port: number;
  root: string;
  layout?: 'per-repository' | 'shared';
  durability: 'fsync' | 'none';
  memory?: true;
  readOnly?: true;
  sparse?: true;
  gc?: number;
  gcGrace: number;
  gcKeepUntagged?: true;
  gcKeepHistory: number;
  quiet?: true;
}

export function serveCommand(): Command {
  const command = new Command('serve')
    .description('Serve a registry until SIGINT or SIGTERM comes.')
    .option('--host <address>', 'listen on this address; 0.0.0.0 is all of this machine’s', '127.0.0.1')
    .option('--port <number>', 'listen on this port; 0 is any free one', parsePort, 5000)
    .option('--root <dir>', 'keep everything in this directory, as OCI image layouts', './registry-data')
    .addOption(
      new Option(
        '--layout <kind>',
        'one layout for each repository, or one for all of them (default: per-repository; with --proxy: shared)',
      ).choices(['per-repository', 'shared']),
    )
    .addOption(
      new Option(
        '--durability <kind>',
        'fsync: what is acknowledged survives the loss of power; none: that of the process',
      )
        .choices(['fsync', 'none'])
        .default('fsync'),
    )
    .option('--memory', 'keep everything in memory instead: it is gone when the server stops')
    .option('--read-only', 'refuse pushes and deletes')
    .option('--sparse', 'accept manifests that name content which is not there')
    .option('--gc <interval>', 'remove what no tag reaches, so often: 1h, 7d', parseInterval)
    .addOption(graceOption('--gc-grace <duration>', 'leave what was pushed or used so lately'))
    .option('--gc-keep-untagged', 'leave manifests without a tag, for those who pull by digest')
    .option('--gc-keep-history <duration>', 'leave what tags were at so lately, for ocikit undo', parseDuration, 0)
    .option('--quiet', 'no line for each request')
    .addHelpText(
      'after',
      '\nThe line "ocikit listening on http://HOST:PORT" on stdout says that it accepts connections.',
    )
    .action(runServe);
  for (const option of proxyOptions()) command.addOption(option);
  return command;
}

async function runServe(flags: ServeFlags, command: Command): Promise<void> {
  const stray = strayFlag(flags);
  if (stray !== undefined) command.error(`error: ${stray} means nothing without --proxy`);
  if (flags.proxy !== undefined && flags.gc !== undefined) {
    command.error('error: --gc does not go with --proxy: a cache makes room by itself, see --cache-size');
  }
  keepHeapSmall();
  const logger = lineLogger((line) => process.stderr.write(line));
  const store = await (flags.proxy === undefined ? openStore(flags, logger) : openCache(flags.proxy, flags, logger));
  try {
    const collecting = collectGarbageOf(store, flags, logger);
    try {
      await serveUntilSignalled(store, flags, logger);
    } finally {
      await collecting?.stop();
    }
  } finally {
    await store.close();
  }
}

/** Bytes in use from which on the heap is kept small. */
const largeHeap = 48 * 1024 * 1024;

/**
 * V8 lets a heap grow to twice what is in it before it looks for what is not. With 100,000 tags in it that is a hundred
 * megabytes for nothing. As long as there is little in it, requests are answered faster without.
 */
function keepHeapSmall(): void {
  const timer = setInterval(() => {
    if (getHeapStatistics().used_heap_size < largeHeap) return;
    setFlagsFromString('--optimize-for-size');
    clearInterval(timer);
  }, 1000);
  timer.unref();
}

function collectGarbageOf({ registry }: Store, flags: ServeFlags, logger: Logger): Collecting | undefined {
  const { gc: interval, gcGrace: gracePeriod, gcKeepHistory: keepHistory, gcKeepUntagged } = flags;
  if (interval === undefined) return undefined;
  const untagged = gcKeepUntagged === true ? 'keep' : 'remove';
  return new Collecting(registry, { interval, gracePeriod, untagged, keepHistory, logger });
}

/** What was fetched is in `--root`, and what was pushed in `--local`. */
async function openCache(hosts: NonNullable<ProxyFlags['proxy']>, flags: ServeFlags, logger: Logger): Promise<Store> {
  // Each blob once, however many repositories have it; and a manifest comes before what it names.
  const store = await openStore({ layout: 'shared', ...flags, sparse: true, verifyOnRead: true }, logger);
  const local =
    flags.local === undefined
      ? undefined
      : await openStore({ ...flags, layout: 'per-repository', root: flags.local, memory: undefined }, logger);
  const quiet = flags.quiet === true ? { ...logger, info: undefined } : logger;
  const proxy = openProxy(hosts, flags, { store: store.registry, local: local?.registry, logger: quiet });
  const names = hosts.map(({ name }) => name).join(', ');
  return {
    registry: proxy.registry,
    where: [`what it fetches from ${names}: ${store.where}`, local && `what is pushed: ${local.where}`]
      .filter(Boolean)
      .join(', and '),
    async close() {
      await proxy.close();
      await Promise.all([store.close(), local?.close()]);
    },
  };
}

async function serveUntilSignalled(store: Store, flags: ServeFlags, logger: Logger): Promise<void> {
  const stop = signalled();
  const serving = await serve(flags.readOnly === true ? readOnly(store.registry) : store.registry, {
    host: flags.host,
    port: flags.port,
    logger: flags.quiet === true ? { ...logger, info: undefined } : logger,
  });
  process.stderr.write(`ocikit keeps ${store.where}\n`);
  process.stdout.write(`ocikit listening on ${serving.url}\n`);

  const signal = await stop;
  process.stderr.write(`ocikit got ${signal}: finishing what runs\n`);
  await serving.close();
}

interface Store {
  registry: Registry;
  /** For a person. */
  where: string;
  close(): Promise<void>;
}

interface StoreFlags extends Pick<ServeFlags, 'root' | 'layout' | 'durability' | 'readOnly' | 'gc'> {
  memory?: true | undefined;
  sparse?: boolean | undefined;
  /** What is damaged can be had again. */
  verifyOnRead?: boolean | undefined;
}

async function openStore(flags: StoreFlags, logger: Logger): Promise<Store> {
  const sparse = flags.sparse === true;
  if (flags.memory === true) {
    return {
      registry: createMemoryRegistry({ sparse }),
      where: 'everything in memory: it is gone when it stops',
      close: () => Promise.resolve(),
    };
  }
  const open = flags.layout === 'shared' ? openLayout : openLayouts;
  const { durability, verifyOnRead } = flags;
  const registry = open(flags.root, {
    durability,
    sparse,
    verifyOnRead,
    onWarning: (message, fields) => logger.warn(message, fields),
  });
  // Better now than at the first push. Who only reads needs no lock, and may have no right to write.
  if (flags.readOnly !== true || flags.gc !== undefined) await registry.own();
  return { registry, where: `everything in ${absolute(flags.root)}`, close: () => registry.close() };
}

function signalled(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        resolve(signal);
        // Asked for twice, it means at once.
        process.once(signal, () => process.exit(1));
      });
    }
  });
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^[0-9]+$/.test(text) || port > 65_535) throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return port;
}

function parseInterval(text: string): number {
  const milliseconds = parseDuration(text);
  // Beyond that, a timer fires at once.
  if (milliseconds >= 1 && milliseconds < 2 ** 31) return milliseconds;
  throw new InvalidArgumentError('An interval is more than nothing and less than 25 days.');
}
