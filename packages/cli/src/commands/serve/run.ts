import { resolve as absolute } from 'node:path';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';

import type { Registry } from 'ocikit';
import { serve } from 'ocikit/serve';
import type { Logger } from 'ocikit/server';

import { lineLogger } from '../../output/log.ts';

import type { ServeFlags } from './command.ts';
import { Collecting } from './gc-interval.ts';

export async function runServe(flags: ServeFlags): Promise<void> {
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

/** Bytes in use from which on the heap is kept small at the expense of time. */
const largeHeap = 48 * 1024 * 1024;

/**
 * V8 lets a heap grow to several times what is in it before it looks for what is not; a quarter more takes no longer. With
 * 100,000 tags in it, even that is tens of megabytes for nothing. As long as there is little in it, requests are answered faster
 * without the second step.
 */
function keepHeapSmall(): void {
  setFlagsFromString('--heap-growing-percent=25');
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
async function openCache(hosts: NonNullable<ServeFlags['proxy']>, flags: ServeFlags, logger: Logger): Promise<Store> {
  const { openProxy } = await import('./proxy.ts');
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
  const serving = await serve(flags.readOnly === true ? await shownReadOnly(store.registry) : store.registry, {
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

async function shownReadOnly(registry: Registry): Promise<Registry> {
  const { readOnly } = await import('ocikit/views');
  return readOnly(registry);
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
    const { createMemoryRegistry } = await import('ocikit/memory');
    return {
      registry: createMemoryRegistry({ sparse }),
      where: 'everything in memory: it is gone when it stops',
      close: () => Promise.resolve(),
    };
  }
  const { openLayout, openLayouts } = await import('ocikit/layout');
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
