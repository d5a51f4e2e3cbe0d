// Clients that push and delete images for as long as a stress test runs, and the record of what was acknowledged.
import { setTimeout as delay } from 'node:timers/promises';

import { manifestOf, newBlob, newConfig } from './content.ts';
import type { Manifest } from './content.ts';
import { Ledger } from './ledger.ts';
import { deleteManifest, pushBlob, pushBlobInChunks, pushManifest, request } from './requests.ts';
import type { Answer } from './requests.ts';

/** The URL of the server, for clients. They wait here while it is down. */
export class Gate {
  #url: string | undefined;
  #isOver = false;
  #open: () => void = () => undefined;
  #opened = Promise.resolve();
  #waiting = 0;

  constructor() {
    this.close();
  }

  /** The URL of the server; undefined while it is down. */
  get url(): string | undefined {
    return this.#url;
  }

  /** The number of clients that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Lets clients use a server. */
  open(url: string): void {
    this.#url = url;
    this.#open();
  }

  /** Makes clients wait, after their running request. */
  close(): void {
    this.#url = undefined;
    this.#opened = new Promise((resolve) => (this.#open = resolve));
  }

  /** Ends all clients. */
  end(): void {
    this.#isOver = true;
    this.#open();
  }

  /** The URL of the server; undefined at the end. */
  async pass(): Promise<string | undefined> {
    while (this.#url === undefined && !this.#isOver) {
      this.#waiting++;
      await this.#opened;
      this.#waiting--;
    }
    return this.#isOver ? undefined : this.#url;
  }
}

/** An image of two blobs. */
interface Image {
  manifest: Manifest;
  /** The sizes of its blobs, by digest. */
  blobs: Map<string, number>;
}

/** Bytes of an image. */
function sizeOf({ manifest, blobs }: Image): number {
  return [...blobs.values()].reduce((sum, size) => sum + size, manifest.bytes.length);
}

/** The requests of all clients that a server acknowledged. */
export class Acknowledged {
  /** Tags, by `repository:tag`. */
  readonly tags = new Ledger();
  /** Images that a tag may have, by digest. */
  readonly images = new Map<string, Image>();
  /** Numbers of answers, by kind. */
  readonly counts = new Map<string, number>();
  /** Bytes that were pushed. */
  bytes = 0;

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** Bytes of all images that a tag has. Call it after {@link lostIn}. */
  liveBytes(): number {
    const live = new Set<string | undefined>();
    for (const name of this.tags.names()) for (const digest of this.tags.possible(name)) live.add(digest);
    return [...this.images].reduce((sum, [digest, image]) => sum + (live.has(digest) ? sizeOf(image) : 0), 0);
  }

  /** The tags and blobs that a server lost. No client may run. Forgets the images that no tag has. */
  async lostIn(url: string): Promise<string[]> {
    const lost: string[] = [];
    const names = this.tags.names();
    const used = new Set<string>();
    const check = async (name: string): Promise<void> => {
      const [repository = '', tag = ''] = name.split(':');
      const answer = await request('GET', `${url}/v2/${repository}/manifests/${tag}`);
      const found = [...this.tags.possible(name)].find((digest) => {
        if (digest === undefined) return answer.status === 404;
        return answer.status === 200 && this.images.get(digest)?.manifest.bytes.equals(answer.body) === true;
      });
      if (found === undefined && !this.tags.possible(name).has(undefined)) {
        lost.push(`${name}: HTTP ${answer.status}, ${answer.body.length} bytes`);
        return;
      }
      this.tags.settle(name, found);
      if (found === undefined) return;
      used.add(found);
      for (const [digest, size] of this.images.get(found)?.blobs ?? []) {
        const blob = await fetch(`${url}/v2/${repository}/blobs/${digest}`, { method: 'HEAD' });
        if (blob.status !== 200 || Number(blob.headers.get('content-length')) !== size) {
          lost.push(`${name}: its blob ${digest}: HTTP ${blob.status}`);
        }
      }
    };
    let next = 0;
    const work = async (): Promise<void> => {
      for (let name = names[next++]; name !== undefined; name = names[next++]) await check(name);
    };
    await Promise.all(Array.from({ length: 8 }, work));
    for (const digest of this.images.keys()) if (!used.has(digest)) this.images.delete(digest);
    return lost;
  }
}

/** Milliseconds after which a collection may have removed the first blob of an image without a manifest. */
const safely = 1000;

/**
 * Pushes images and deletes old ones as fast as it can, until the gate ends. Requests without an answer stay open in
 * the ledger.
 */
export async function pushUntilOver(
  gate: Gate,
  number: number,
  { repositories, gracePeriod, acknowledged, random }: StressOptions,
): Promise<void> {
  const own: string[] = [];
  let count = 0;
  for (;;) {
    const url = await gate.pass();
    if (url === undefined) return;
    try {
      await step(url);
    } catch (error) {
      // `fetch` reports a lost connection by a TypeError, and its own timeout by a DOMException.
      if (!(error instanceof TypeError) && !(error instanceof DOMException)) throw error;
      acknowledged.count('no answer');
      await delay(20);
    }
  }

  async function step(url: string): Promise<void> {
    const kind = random(10);
    const repository = `team-${random(20)}/app-${random(repositories / 20)}`;
    if (kind < 6 || own.length < 10) return pushImage(url, repository, `own-${number}-${++count}`);
    if (kind < 7) return pushImage(url, repository, `moved-${random(2)}`);
    if (kind < 8) return pushGarbage(url, repository);
    const [name] = own.splice(random(own.length), 1);
    if (name !== undefined) await deleteTag(url, name);
  }

  async function pushImage(url: string, repository: string, tag: string): Promise<void> {
    const started = performance.now();
    const parts = [newConfig(), newBlob(1 + random(random(8) === 0 ? 1_000_000 : 20_000))] as const;
    for (const part of parts) {
      const send = random(4) === 0 ? pushBlobInChunks : pushBlob;
      const answer = await send(url, repository, part);
      acknowledged.count(answer.status === 201 ? 'blobs' : `blob: HTTP ${answer.status}`);
      if (answer.status !== 201) return refused(answer);
      acknowledged.bytes += part.bytes.length;
    }
    const manifest = manifestOf(parts[0], [parts[1]]);
    const blobs = new Map(parts.map(({ digest, bytes }) => [digest, bytes.length]));
    acknowledged.images.set(manifest.digest, { manifest, blobs });
    const name = `${repository}:${tag}`;
    const begun = acknowledged.tags.begin(name, manifest.digest);
    const answer = await pushManifest(url, repository, manifest, tag);
    acknowledged.count(answer.status === 201 ? 'images' : `image: HTTP ${answer.status}`);
    if (answer.status === 201) {
      begun.acknowledge();
      acknowledged.bytes += manifest.bytes.length;
      if (tag.startsWith('own-')) own.push(name);
      // So many images stay.
      if (own.length > 150) await deleteTag(url, own.shift() ?? '');
      return;
    }
    if (answer.status < 500) begun.refuse();
    // A slow machine may take longer than the grace period between two requests.
    if (performance.now() - started < gracePeriod - safely) refused(answer);
  }

  /** Content that no manifest names. */
  async function pushGarbage(url: string, repository: string): Promise<void> {
    const content = newBlob(1 + random(100_000));
    const answer = await pushBlob(url, repository, content);
    acknowledged.count(answer.status === 201 ? 'garbage' : `garbage: HTTP ${answer.status}`);
    if (answer.status !== 201) refused(answer);
    else acknowledged.bytes += content.bytes.length;
  }

  async function deleteTag(url: string, name: string): Promise<void> {
    const [repository = '', tag = ''] = name.split(':');
    const begun = acknowledged.tags.begin(name, undefined);
    const answer = await deleteManifest(url, repository, tag);
    acknowledged.count(answer.status === 202 ? 'deletes' : `delete: HTTP ${answer.status}`);
    if (answer.status === 202) begun.acknowledge();
    else if (answer.status < 500) refused(answer);
  }
}

/** The settings of {@link pushUntilOver}. */
export interface StressOptions {
  /** The number of repositories. Several clients use each. */
  repositories: number;
  /** The grace period of the collection, in milliseconds. */
  gracePeriod: number;
  acknowledged: Acknowledged;
  random: (below: number) => number;
}

/** @throws Error unless a busy or ending server may answer so */
function refused({ status, body }: Answer): void {
  if (status === 429 || status === 503) return;
  throw new Error(`HTTP ${status}\n${body.toString().slice(0, 500)}`);
}
