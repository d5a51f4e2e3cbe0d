// Runs `ocikit serve`: opens the store or cache, serves it, and stops at a signal.
import { resolve as absolute } from 'node:path';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import type { PerformanceEntry } from 'node:perf_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import type { Registry } from 'ocikit';
import { serve } from 'ocikit/serve';
import type { Logger } from 'ocikit/server';

import { lineLogger } from '../../output/log.ts';

import { isProtected } from './access-options.ts';
import type { AccessFlags } from './access-options.ts';
import { GarbageCollection } from './gc-interval.ts';
import type { ProxyFlags } from './proxy-options.ts';
import { exitAtOnce, graceForRequests, StopDeadline } from './stop-deadline.ts';

/** The options of `ocikit serve`. */
export interface ServeFlags extends AccessFlags, ProxyFlags {
  host: string;
  /** Host names besides those of this machine. */
  allowHost?: string[];
  port: number;
  root: string;
  layout?: 'per-repository' | 'shared';
  durability: 'fsync' | 'none';
  memory?: true;
  readOnly?: true;
  sparse?: true;
  strictMediaTypes?: true;
  gc?: number;
  gcGrace: number;
  gcKeepUntagged?: true;
  gcKeepHistory: number;
  /** Milliseconds for which clients may reuse an idle connection. */
  keepAlive?: number;
  quiet?: true;
}

/** Serves until SIGINT or SIGTERM, then finishes running requests. */
export async function runServe(flags: ServeFlags): Promise<void> {
  keepHeapSmall();
  giveMemoryBack();
  const logger = lineLogger((line) => process.stderr.write(line));
  const store = await (flags.proxy === undefined ? openStore(flags, logger) : openCache(flags.proxy, flags, logger));
  const deadline = new StopDeadline({ write: (line) => process.stderr.write(line), exit: exitAtOnce });
  try {
    const collection = collectGarbageOf(store, flags, logger);
    try {
      await serveUntilSignalled(store, flags, { logger, deadline });
    } finally {
      deadline.enter('ending a garbage collection');
      await collection?.stop();
    }
  } finally {
    deadline.enter(`closing the store of content ${store.place}`);
    await store.close();
    deadline.end();
  }
}

/** Heap in use, in bytes, above which memory counts more than time. */
const largeHeap = 48 * 1024 * 1024;

/**
 * V8 lets a heap grow to several times its live content before it collects; growth by a quarter takes no longer.
 * With 100,000 tags even a quarter is tens of megabytes, so a large heap is also optimised for size.
 * A small heap is not, because requests are answered faster without it.
 */
function keepHeapSmall(): void {
  setFlagsFromString('--heap-growing-percent=25');
  giveRoomWhileBusy();
  const timer = setInterval(() => {
    if (getHeapStatistics().used_heap_size < largeHeap) return;
    setFlagsFromString('--optimize-for-size');
    clearInterval(timer);
  }, 1000);
  timer.unref();
}

/** A collection of the garbage collector, as Node reports it. */
type GcEntry = PerformanceEntry & { readonly detail?: { readonly kind?: number } };

/** The part of the time that full collections may take before the heap gets more room. */
const mostCollecting = 1 / 20;
/** Milliseconds over which this part is measured. */
const busyTime = 500;
/** Milliseconds for which the heap has more room. */
const roomTime = 10_000;

/**
 * Bytes that arrive count as growth. With thousands of connections and hundreds of pushes at once, V8 would look
 * through the whole heap after every few megabytes, and every answer would wait for that.
 */
function giveRoomWhileBusy(): void {
  let begin = performance.now();
  let collecting = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const observer = new PerformanceObserver((list) => {
    const now = performance.now();
    if (now - begin > busyTime) [begin, collecting] = [now, 0];
    for (const { detail, duration } of list.getEntries() as GcEntry[]) {
      if (detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR) collecting += duration;
    }
    if (timer !== undefined || collecting < busyTime * mostCollecting) return;
    setFlagsFromString('--heap-growing-percent=100');
    timer = setTimeout(() => {
      timer = undefined;
      setFlagsFromString('--heap-growing-percent=25');
    }, roomTime);
    timer.unref();
  });
  observer.observe({ entryTypes: ['gc'] });
}

/** Bytes of buffers outside the heap that may stay allocated although nothing uses them. */
const fewBuffers = 32 * 1024 * 1024;
/** Milliseconds between two looks at them. */
const buffersInterval = 20_000;

/**
 * V8 collects when memory grows, so the buffers of a burst of requests would stay until the next burst. A small heap is
 * collected within some 10 ms. A large one is left alone, as it would stand still for long.
 */
function giveMemoryBack(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const timer = setInterval(() => {
    const { external_memory: buffers, used_heap_size: heap } = getHeapStatistics();
    if (buffers >= fewBuffers && heap < largeHeap) collect();
  }, buffersInterval);
  timer.unref();
}

function collectGarbageOf({ registry }: Store, flags: ServeFlags, logger: Logger): GarbageCollection | undefined {
  const { gc: interval, gcGrace: gracePeriod, gcKeepHistory: keepHistory, gcKeepUntagged } = flags;
  if (interval === undefined) return undefined;
  const untagged = gcKeepUntagged === true ? 'keep' : 'remove';
  return new GarbageCollection(registry, { interval, gracePeriod, untagged, keepHistory, logger });
}

/** Content fetched from upstream is stored in `--root`, pushed content in `--local`. */
async function openCache(hosts: NonNullable<ServeFlags['proxy']>, flags: ServeFlags, logger: Logger): Promise<Store> {
  const { openProxy } = await import('./proxy.ts');
  // A shared layout stores a blob once for all repositories. Sparse: a manifest comes before its content.
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
    place: `fetched from ${names} ${store.place}${local === undefined ? '' : `, and pushed content ${local.place}`}`,
    async close() {
      await proxy.close();
      await Promise.all([store.close(), local?.close()]);
    },
  };
}

async function serveUntilSignalled(
  store: Store,
  flags: ServeFlags,
  { logger, deadline }: { logger: Logger; deadline: StopDeadline },
): Promise<void> {
  const stop = signalled();
  const shown = flags.readOnly === true ? await shownReadOnly(store.registry) : store.registry;
  const protection = isProtected(flags) ? await (await import('./access.ts')).protect(shown, flags, logger) : undefined;
  const certificate = flags.tlsCert === undefined ? undefined : await import('./certificate.ts');
  const serving = await serve(protection?.registry ?? shown, {
    host: flags.host,
    port: flags.port,
    // A page that pretends to be this server has no login.
    allowedHosts: flags.allowHost ?? (protection === undefined ? undefined : ['*']),
    strictMediaTypes: flags.strictMediaTypes,
    limits: { keepAliveTimeout: flags.keepAlive },
    middleware: protection === undefined ? [] : [protection.middleware],
    tls: await certificate?.readCertificate(flags),
    logger: flags.quiet === true ? { ...logger, info: undefined } : logger,
  });
  const watch = await certificate?.watchCertificate(serving, flags, logger);
  const reload = (): void => void Promise.all([protection?.reload(), watch?.reload()]);
  // Without files to read again, the signal ends the server, as when its terminal is closed.
  if (protection !== undefined || watch !== undefined) process.on('SIGHUP', reload);
  if (protection === undefined && !isLoopback(flags.host)) {
    logger.warn('every machine that reaches this address may push and delete: protect it with --htpasswd', {
      host: flags.host,
    });
  }
  process.stderr.write(`ocikit stores content ${store.place}\n`);
  process.stdout.write(`ocikit listening on ${serving.url}\n`);

  const signal = await stop;
  process.stderr.write(`ocikit got ${signal}: finishing running requests\n`);
  deadline.begin();
  deadline.enter('finishing running requests');
  const cut = await serving.close(graceForRequests);
  process.off('SIGHUP', reload);
  protection?.close();
  watch?.close();
  if (cut === 0) return;
  const connections = cut === 1 ? '1 connection that was' : `${cut} connections that were`;
  process.stderr.write(`ocikit cut ${connections} still in use after ${graceForRequests / 1000} s\n`);
  process.exitCode = 1;
}

/** True for an address that only this machine reaches. */
function isLoopback(host: string): boolean {
  return /^(?:127\.|localhost$|::1$)/.test(host);
}

async function shownReadOnly(registry: Registry): Promise<Registry> {
  const { readOnly } = await import('ocikit/views');
  return readOnly(registry);
}

interface Store {
  registry: Registry;
  /** The place of its content, as text after "stores content". */
  place: string;
  close(): Promise<void>;
}

interface StoreFlags extends Pick<ServeFlags, 'root' | 'layout' | 'durability' | 'readOnly' | 'gc'> {
  memory?: true | undefined;
  sparse?: boolean | undefined;
  /** Verify content on each read: damaged content can be fetched again. */
  verifyOnRead?: boolean | undefined;
}

/** Twice as many as the server receives at the same time: uploads between two requests leave room for others. */
const maxUploads = 2000;

async function openStore(flags: StoreFlags, logger: Logger): Promise<Store> {
  const sparse = flags.sparse === true;
  if (flags.memory === true) {
    const { createMemoryRegistry } = await import('ocikit/memory');
    return {
      registry: createMemoryRegistry({ sparse, maxUploads }),
      place: 'in memory, until it stops',
      close: () => Promise.resolve(),
    };
  }
  const { openLayout, openLayouts } = await import('ocikit/layout');
  const open = flags.layout === 'shared' ? openLayout : openLayouts;
  const { durability, verifyOnRead } = flags;
  const registry = open(flags.root, {
    durability,
    sparse,
    maxUploads,
    verifyOnRead,
    onWarning: (message, fields) => logger.warn(message, fields),
  });
  // Fail now, not at the first push. A read-only server needs no lock and may lack the right to write.
  if (flags.readOnly !== true || flags.gc !== undefined) await registry.own();
  return { registry, place: `in ${absolute(flags.root)}`, close: () => registry.close() };
}

function signalled(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        resolve(signal);
        // The second signal stops at once.
        process.once(signal, () => exitAtOnce(1));
      });
    }
  });
}
