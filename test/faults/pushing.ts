// Clients that push, move tags and delete until their server dies.
import { emptyConfig, manifestOf, newBlob, newConfig } from './content.ts';
import type { Content, Manifest } from './content.ts';
import type { Ledger } from './ledger.ts';
import { deleteBlob, deleteManifest, mountBlob, pushBlob, pushBlobInChunks, pushManifest } from './requests.ts';
import type { Answer } from './requests.ts';

/** The content and the ledgers of many connections to a registry that may die at any moment. */
export interface Traffic {
  /** Blobs, by `repository@digest`. */
  blobs: Ledger;
  /** Manifests, by `repository@digest`. */
  manifests: Ledger;
  /** Tags, by `repository:tag`. */
  tags: Ledger;
  /** Bytes, by digest. */
  bytes: Map<string, Buffer>;
  /** Numbers of acknowledged requests, by kind. */
  counts: Map<string, number>;
}

/** Pushes, moves tags and deletes on one connection until the server dies, and records what it acknowledges. */
export async function pushUntilGone(
  url: string,
  number: number,
  traffic: Traffic,
  random: (below: number) => number,
): Promise<void> {
  const { blobs, manifests, tags, bytes, counts } = traffic;
  const repository = `team-${number % 4}/app`;
  const others = [0, 1, 2, 3].map((other) => `team-${other}/app`);
  const images: Manifest[] = [];
  const loose: Content[] = [];
  const untagged: Manifest[] = [];
  let step = 0;

  const ask = async (
    what: string,
    begun: readonly { acknowledge(): void; refuse(): void }[],
    send: () => Promise<Answer>,
    status: number,
  ): Promise<void> => {
    const answer = await send();
    if (answer.status === 404 && what.startsWith('delete')) {
      for (const one of begun) one.refuse();
    } else if (answer.status === status) {
      for (const one of begun) one.acknowledge();
      counts.set(what, (counts.get(what) ?? 0) + 1);
    } else {
      throw new Error(`${what}: HTTP ${answer.status}\n${answer.body.toString().slice(0, 500)}`);
    }
  };
  const blob = async (content: Content): Promise<void> => {
    bytes.set(content.digest, content.bytes);
    const begun = blobs.begin(`${repository}@${content.digest}`, content.digest);
    const isWhole = random(2) === 0;
    const send = isWhole ? pushBlob : pushBlobInChunks;
    await ask(isWhole ? 'PUT a blob' : 'PATCH a blob', [begun], () => send(url, repository, content), 201);
  };
  const manifest = async (content: Manifest, tag?: string): Promise<void> => {
    bytes.set(content.digest, content.bytes);
    const begun = [manifests.begin(`${repository}@${content.digest}`, content.digest)];
    if (tag !== undefined) begun.push(tags.begin(`${repository}:${tag}`, content.digest));
    const what = tag === undefined ? 'push a manifest' : 'push a tagged manifest';
    await ask(what, begun, () => pushManifest(url, repository, content, tag), 201);
  };
  const image = async (): Promise<Manifest> => {
    const parts = [newConfig(), newBlob(1 + random(random(10) === 0 ? 300_000 : 8000))] as const;
    for (const part of parts) await blob(part);
    return manifestOf(parts[0], [parts[1]]);
  };

  const steps: (() => Promise<void>)[] = [
    async () => {
      const content = newBlob(1 + random(20_000));
      await blob(content);
      loose.push(content);
    },
    async () => {
      const made = await image();
      await manifest(made, `own-${number}-${++step}`);
      images.push(made);
    },
    // Several connections move these tags at the same time.
    async () => {
      const made = images[random(images.length)] ?? (await image());
      await manifest(made, `shared-${random(4)}`);
    },
    async () => {
      const made = images[random(images.length)] ?? (await image());
      await manifest(made, `moved-${number}`);
    },
    async () => {
      const tag = random(2) === 0 ? `shared-${random(4)}` : `moved-${number}`;
      const begun = tags.begin(`${repository}:${tag}`, undefined);
      await ask('delete a tag', [begun], () => deleteManifest(url, repository, tag), 202);
    },
    async () => {
      const content = await image();
      await manifest(content);
      untagged.push(content);
    },
    async () => {
      const content = untagged.pop();
      if (content === undefined) return;
      const begun = manifests.begin(`${repository}@${content.digest}`, undefined);
      await ask('delete a manifest', [begun], () => deleteManifest(url, repository, content.digest), 202);
    },
    async () => {
      const content = loose.pop();
      if (content === undefined) return;
      const begun = blobs.begin(`${repository}@${content.digest}`, undefined);
      await ask('delete a blob', [begun], () => deleteBlob(url, repository, content.digest), 202);
    },
    async () => {
      const content = loose[0];
      const to = others[random(4)];
      if (content === undefined || to === undefined || to === repository) return;
      const begun = blobs.begin(`${to}@${content.digest}`, content.digest);
      const send = (): Promise<Answer> => mountBlob(url, to, content.digest, repository);
      await ask('mount a blob', [begun], send, 201);
      loose.shift();
    },
    // The annotations fill the journal, so that it is folded soon.
    async () => {
      const subject = images.at(-1);
      if (subject === undefined) return;
      await blob(emptyConfig);
      await manifest(manifestOf(emptyConfig, [], { subject, annotation: 'x'.repeat(40_000 + random(1000)) }));
    },
  ];
  for (;;) {
    const next = steps[random(steps.length)];
    try {
      await next?.();
    } catch (error) {
      // fetch reports a lost connection by a TypeError.
      if (error instanceof TypeError) return;
      throw error;
    }
  }
}
