// Sharing the files that the process may have open between connections and the store.
import { readFile } from 'node:fs/promises';
import type { Server } from 'node:net';

import type { Logger } from '../../http/server/index.ts';

/** The part of the files that connections may take. The store needs the rest. */
const partOfConnections = 3 / 4;
/** Milliseconds between two warnings. */
const warningInterval = 60_000;

/**
 * Lets connections take only a part of the files that the process may have open. Beyond that the system would close new
 * connections without a word, and the store could not open a file. Call it once the server listens.
 *
 * @param files the maximum of the process; undefined if there is none
 */
export function limitConnections(server: Server, files: number | undefined, logger: Logger | undefined): void {
  let warnedAt = -Infinity;
  const warn = (message: string, fields: Readonly<Record<string, unknown>>): void => {
    const now = performance.now();
    if (now - warnedAt < warningInterval) return;
    warnedAt = now;
    logger?.warn(message, fields);
  };
  // Without a listener, a connection that cannot be accepted would end the process.
  server.on('error', (error) => warn('cannot accept a connection', { error }));
  if (files === undefined) return;
  const connections = Math.ceil(files * partOfConnections);
  server.maxConnections = connections;
  server.on('drop', () =>
    warn('refusing connections: allow this process more open files (ulimit -n)', { connections, files }),
  );
}

/** Returns how many files this process may have open; undefined if there is no limit, or the system does not tell. */
export async function mostOpenFiles(): Promise<number | undefined> {
  const limits = await readFile('/proc/self/limits', 'latin1').catch(() => '');
  const most = /^Max open files +(\d+)/m.exec(limits)?.[1];
  return most === undefined ? undefined : Number(most);
}
