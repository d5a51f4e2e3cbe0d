// Pushes blobs and manifests to all members that are written to.
import { assertRepository, parseDigest } from '../../../model/index.ts';
import type { Writer } from '../../../model/index.ts';

import { askAll, assertStored, Caller, outcomeOf } from '../members/index.ts';
import type { Member, RepositoryQueue } from '../members/index.ts';
import { sendToAll } from './send-to-all.ts';
import type { Supplier } from './supplier.ts';

/** The parts of a writer. */
export interface WriteParts {
  /** The members that are written to. The first one decides about conditions. */
  writers: readonly [Member, ...Member[]];
  /** Copies content that a manifest names and a member lacks. */
  supplier: Supplier;
  /** The queue in which tags are moved. */
  queue: RepositoryQueue;
}

/** Pushes to all members that are written to. */
export function unifiedWriter({ writers, supplier, queue }: WriteParts): Pick<Writer, 'pushBlob' | 'pushManifest'> {
  const [first, ...followers] = writers;

  const pushManifest: Writer['pushManifest'] = async (repository, bytes, mediaType, options = {}) => {
    const caller = new Caller(options);
    try {
      const { ifTag: _decided, ...following } = { ...options, signal: caller.signal, onEvent: undefined };
      // First to one member: a push that loses the race for a tag, or is no manifest, then changes no member.
      const pushed = await supplier.pushManifest(first, repository, bytes, mediaType, {
        ...following,
        ifTag: options.ifTag,
      });
      caller.assertWants();
      const { digest, size } = pushed.descriptor;
      const answers = await askAll(followers, async (member) => {
        const found = await supplier.pushManifest(member, repository, bytes, mediaType, { ...following, digest });
        assertStored(found.descriptor, digest);
        return found;
      });
      caller.assertWants();
      outcomeOf(`pushing manifest ${digest}`, [{ member: first, value: pushed }, ...answers]);
      caller.onEvent?.({ type: 'done', repository, digest, size });
      return pushed;
    } finally {
      caller.leave();
    }
  };

  return {
    async pushBlob(repository, blob, source, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      const { digest } = blob;
      parseDigest(digest);
      options.onEvent?.({ type: 'started', repository, digest, size: blob.size });
      const { answers, late } = await sendToAll(writers, source, options, async ({ registry }, own, call) =>
        assertStored(await registry.pushBlob(repository, blob, own, call), digest),
      );
      const inTime = answers.filter((answer) => 'value' in answer || !late.has(answer.member));
      const supplied = inTime.some((answer) => 'value' in answer)
        ? await askAll([...late], (member) => supplier.blob(member, repository, digest, options))
        : answers.filter(({ member }) => late.has(member));
      const stored = outcomeOf(`pushing blob ${digest}`, [...inTime, ...supplied]);
      options.onEvent?.({ type: 'verified', repository, digest, size: stored.size });
      options.onEvent?.({ type: 'done', repository, digest, size: stored.size });
      return stored;
    },

    pushManifest: (repository, bytes, mediaType, options = {}) => {
      const push = (): ReturnType<Writer['pushManifest']> => pushManifest(repository, bytes, mediaType, options);
      return (options.tags ?? []).length === 0 ? push() : queue.run(repository, options.signal, push);
    },
  };
}
