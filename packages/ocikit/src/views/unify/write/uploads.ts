// Starts, resumes and mounts in all members that are written to.
import { assertRepository, isRegistryError, parseDigest, splitDigest, wrongOffset } from '../../../model/index.ts';
import type { BlobUpload, CallOptions, Writer } from '../../../model/index.ts';

import { askAll, failuresIn, leastTemporary, PartialWriteError, valuesIn } from '../members/index.ts';
import type { MemberAnswer } from '../members/index.ts';
import { UnifiedUpload, uploadUnknown } from './upload.ts';
import type { Session, UploadParts } from './upload.ts';

/** The methods that begin or resume uploads. */
export type UploadWriter = Pick<Writer, 'startUpload' | 'resumeUpload' | 'mountBlob'>;

/** Uploads in all members at once. */
export function uploadWriter(parts: UploadParts): UploadWriter {
  const { members, ids } = parts;
  const unify = (repository: string, key: string, sessions: Session[]): BlobUpload =>
    new UnifiedUpload(parts, repository, key, sessions);

  return {
    async startUpload(repository, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      const answers = await askAll(members, async ({ registry }) => registry.startUpload(repository, options));
      return unify(repository, ids.newKey(), await allBegun(answers, options));
    },

    async resumeUpload(repository, id, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      const known = ids.parse(id);
      if (known === undefined) throw uploadUnknown(repository);
      // Ask each member for its position, even if the caller gives one: the members may be at different positions.
      const call = { ...options, offset: undefined };
      const answers = await askAll(members, async ({ registry }, i) => {
        const own = known.ids[i] ?? null;
        return own === null ? undefined : registry.resumeUpload(repository, own, call);
      });
      const sessions = await resumed(answers, known.ids, options);
      if (sessions.every(({ upload }) => upload === undefined)) {
        ids.forget(known.key);
        throw uploadUnknown(repository);
      }
      const upload = new UnifiedUpload(parts, repository, known.key, sessions);
      const { offset } = options;
      if (typeof offset !== 'number' || offset === upload.size) return upload;
      await upload.close();
      throw wrongOffset(offset, upload.size);
    },

    async mountBlob(from, repository, digest, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      if (typeof from === 'string') assertRepository(from);
      parseDigest(digest);
      const { onEvent, ...call } = { algorithm: splitDigest(digest).algorithm, ...options };
      const answers = await askAll(members, async ({ registry }) => {
        try {
          return await registry.mountBlob(from, repository, digest, call);
        } catch (error) {
          // The mount is not possible: begin an upload instead.
          if (!isRegistryError(error, 'UNSUPPORTED', 'BLOB_UNKNOWN', 'NAME_UNKNOWN')) throw error;
          return { upload: await registry.startUpload(repository, call) };
        }
      });
      const mounts = valuesIn(answers);
      const mounted = mounts.filter(({ value }) => value.upload === undefined);
      if (mounts.length < answers.length) {
        await cancelAll(mounts.flatMap(({ value }) => value.upload ?? []));
        options.signal?.throwIfAborted();
        const failures = failuresIn(answers);
        if (mounted.length === 0) throw leastTemporary(failures);
        throw new PartialWriteError(
          `mounting ${digest}`,
          mounted.map(({ member }) => member),
          failures,
        );
      }
      const [first] = mounts;
      if (mounted.length === mounts.length && first?.value.descriptor !== undefined) {
        const { descriptor } = first.value;
        onEvent?.({
          type: 'mounted',
          repository,
          digest,
          size: descriptor.size,
          from: typeof from === 'string' ? from : undefined,
        });
        return { descriptor };
      }
      // Members that have mounted the blob are not sent it again.
      const sessions = mounts.map(({ member, value }) => ({ member, upload: value.upload, lastId: null }));
      return { upload: unify(repository, ids.newKey(), sessions) };
    },
  };
}

/** If a member could not begin, the uploads of the others are cancelled. */
async function allBegun(answers: readonly MemberAnswer<BlobUpload>[], { signal }: CallOptions): Promise<Session[]> {
  const [begun, failures] = [valuesIn(answers), failuresIn(answers)];
  if (failures.length === 0) return begun.map(({ member, value }) => ({ member, upload: value, lastId: null }));
  await cancelAll(begun.map(({ value }) => value));
  signal?.throwIfAborted();
  throw leastTemporary(failures);
}

/** A member that has lost the upload is left out. It gets a copy of the blob after the commit. */
async function resumed(
  answers: readonly MemberAnswer<BlobUpload | undefined>[],
  ids: readonly (string | null)[],
  { signal }: CallOptions,
): Promise<Session[]> {
  const lasting = failuresIn(answers).filter(({ error }) => !isRegistryError(error, 'BLOB_UPLOAD_UNKNOWN'));
  if (lasting.length > 0) {
    await Promise.allSettled(valuesIn(answers).map(async ({ value }) => value?.close()));
    signal?.throwIfAborted();
    throw leastTemporary(lasting);
  }
  return answers.map((answer, i) => ({
    member: answer.member,
    upload: 'value' in answer ? answer.value : undefined,
    lastId: ids[i] ?? null,
  }));
}

/** Cancels the uploads. Failures are ignored: members drop unfinished uploads by themselves later. */
async function cancelAll(uploads: readonly BlobUpload[]): Promise<void> {
  await Promise.allSettled(uploads.map((upload) => upload.cancel()));
}
