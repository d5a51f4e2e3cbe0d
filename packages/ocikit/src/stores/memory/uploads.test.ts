import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { collect, digestOf, maintenanceOf } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';
import { memoryBlobs, MemoryStage } from '../blobs/index.ts';
import type { BlobStage, BlobStore } from '../blobs/index.ts';

import { createMemoryRegistry } from './memory-registry.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const minute = 60_000;

interface Gated {
  source: AsyncIterable<Uint8Array>;
  open: () => void;
}

/** A source that gives its text, and waits before it ends. */
function gated(text: string): Gated {
  let open = (): void => undefined;
  const ended = new Promise<void>((resolve) => (open = resolve));
  const source: AsyncIterable<Uint8Array> = {
    async *[Symbol.asyncIterator]() {
      yield encode(text);
      await ended;
    },
  };
  return { source, open };
}

/** Memory blobs whose stages tell what becomes of them. */
function observedStages(overrides: (stage: BlobStage) => Partial<BlobStage> = () => ({})): {
  blobs: BlobStore;
  calls: string[];
} {
  const calls: string[] = [];
  const memory = memoryBlobs();
  const told =
    <T extends unknown[]>(name: string, method: (...args: T) => Promise<void>) =>
    (...args: T): Promise<void> => {
      calls.push(name);
      return method(...args);
    };
  const stage = (repository: string): BlobStage => {
    const inner = memory.stage?.(repository) ?? new MemoryStage(() => undefined);
    const own = overrides(inner);
    return {
      append: told('append', own.append ?? ((bytes) => inner.append(bytes))),
      truncate: told('truncate', own.truncate ?? ((size) => inner.truncate(size))),
      release: told('release', own.release ?? (() => inner.release())),
      keep: told('keep', own.keep ?? ((to, digest) => inner.keep(to, digest))),
      discard: told('discard', own.discard ?? (() => inner.discard())),
      read: (size, range) => inner.read(size, range),
    };
  };
  return { blobs: { ...memory, stage }, calls };
}

/** The uploads in repository `a` that hold bytes. */
async function idsOfUploads(registry: Registry): Promise<string[]> {
  const upkeep = maintenanceOf(registry);
  if (upkeep === undefined) throw new Error('a registry in memory can be maintained');
  return (await collect(upkeep.uploads('a'))).map(({ id }) => id);
}

describe('as many uploads as there may be', () => {
  let registry: Registry;
  beforeEach(() => {
    registry = createMemoryRegistry({ maxUploads: 2 });
  });
  const refused = { code: 'TOOMANYREQUESTS', retryAfter: 60 };

  test('hold bytes at the same time, and one more is refused', async () => {
    const [one, two, three] = [
      await registry.startUpload('a'),
      await registry.startUpload('b'),
      await registry.startUpload('a'),
    ];
    await one.append(encode('1'));
    await two.append(encode('2'));
    await expect(three.append(encode('3'))).rejects.toMatchObject(refused);
    await expect(three.commit(digestOf(encode('3')), { source: encode('3') })).rejects.toMatchObject(refused);
    await expect(registry.startUpload('c')).rejects.toMatchObject(refused);
    await expect(registry.mountBlob(undefined, 'c', digestOf(encode('x')))).rejects.toMatchObject(refused);
  });

  test('give way to others after a minute without use, the oldest first', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const [one, two, three] = await Promise.all([1, 2, 3].map(() => registry.startUpload('a')));
      await one?.append(encode('1'));
      vi.advanceTimersByTime(30_000);
      await two?.append(encode('2'));
      await expect(three?.append(encode('3'))).rejects.toMatchObject({ code: 'TOOMANYREQUESTS', retryAfter: 30 });
      vi.advanceTimersByTime(30_000);
      expect(await three?.append(encode('3'))).toBe(1);
      await expect(one?.append(encode('1'))).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' });
      expect(await two?.append(encode('2'))).toBe(2);
    } finally {
      vi.useRealTimers();
    }
  });

  test('go on although there is no room for others', async () => {
    const [one, two] = [await registry.startUpload('a'), await registry.startUpload('a')];
    await one.append(encode('1'));
    await two.append(encode('2'));
    expect(await one.append(encode('1'))).toBe(2);
    expect((await registry.resumeUpload('a', two.id)).size).toBe(1);
    await one.commit(digestOf(encode('11')));
    expect(await (await registry.startUpload('a')).append(encode('3'))).toBe(1);
  });

  test('are not those that hold nothing', async () => {
    const all = await Promise.all(Array.from({ length: 100 }, () => registry.startUpload('a')));
    expect(new Set(all.map(({ id }) => id)).size).toBe(100);
    for (const upload of all) expect(await upload.append(new Uint8Array())).toBe(0);
    expect(await idsOfUploads(registry)).toEqual([]);
    expect(await all[1]?.append(encode('1'))).toBe(1);
    expect(await all[2]?.append(encode('1'))).toBe(1);
    expect(await idsOfUploads(registry)).toHaveLength(2);
  });

  test('become fewer when one is cancelled, committed or takes its bytes back', async () => {
    const start = async (): ReturnType<Registry['startUpload']> => {
      const upload = await registry.startUpload('a');
      await upload.append(encode('x'));
      return upload;
    };
    const [one, two] = [await start(), await start()];
    await one.cancel();
    const three = await start();
    await two.commit(digestOf(encode('x')));
    await start();
    await expect(start()).rejects.toMatchObject(refused);
    await three.cancel();
    const four = await registry.startUpload('a');
    await expect(four.append(encode('xy'), { size: 3 })).rejects.toMatchObject({ code: 'SIZE_INVALID' });
    await start();
  });
});

describe('an unused upload', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: new Date('2030-01-01') });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const unknown = { code: 'BLOB_UPLOAD_UNKNOWN' };

  test('is gone after its time, and its bytes with it', async () => {
    const { blobs, calls } = observedStages();
    const registry = createMemoryRegistry({ blobs, uploadExpiry: minute, maxUploads: 1 });
    const upload = await registry.startUpload('a');
    await upload.append(encode('abc'));
    await vi.advanceTimersByTimeAsync(minute - 1);
    expect((await registry.resumeUpload('a', upload.id)).size).toBe(3);
    expect(calls).toEqual(['append', 'release']);
    await vi.advanceTimersByTimeAsync(2);
    expect(calls).toEqual(['append', 'release', 'discard']);
    await expect(registry.resumeUpload('a', upload.id)).rejects.toMatchObject(unknown);
    await expect(upload.append(encode('d'))).rejects.toMatchObject(unknown);
    await expect(upload.commit(digestOf(encode('abc')))).rejects.toMatchObject(unknown);
    await upload.cancel();
    // And there is room for another one.
    expect(await (await registry.startUpload('a')).append(encode('x'))).toBe(1);
  });

  test('is gone after its time also if it never held a byte', async () => {
    const registry = createMemoryRegistry({ uploadExpiry: minute });
    const { id } = await registry.startUpload('a');
    await vi.advanceTimersByTimeAsync(minute);
    expect((await registry.resumeUpload('a', id)).size).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    await expect(registry.resumeUpload('a', id)).rejects.toMatchObject(unknown);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('has an hour, unless told otherwise', async () => {
    const registry = createMemoryRegistry();
    const upload = await registry.startUpload('a');
    await upload.append(encode('abc'));
    await vi.advanceTimersByTimeAsync(60 * minute - 1);
    expect(upload.size).toBe(3);
    await vi.advanceTimersByTimeAsync(2);
    expect(() => upload.size).toThrow(expect.objectContaining(unknown));
  });

  test('has its whole time again after each piece', async () => {
    const registry = createMemoryRegistry({ uploadExpiry: minute });
    const [one, other] = [await registry.startUpload('a'), await registry.startUpload('a')];
    await one.append(encode('1'));
    await other.append(encode('2'));
    for (let i = 0; i < 5; i++) {
      await vi.advanceTimersByTimeAsync(minute - 1);
      await one.append(encode('1'));
    }
    expect(one.size).toBe(6);
    await expect(registry.resumeUpload('a', other.id)).rejects.toMatchObject(unknown);
    await vi.advanceTimersByTimeAsync(minute + 1);
    await expect(registry.resumeUpload('a', one.id)).rejects.toMatchObject(unknown);
  });

  test('stays as long as a call writes to it, however slowly, and costs nothing meanwhile', async () => {
    const registry = createMemoryRegistry({ uploadExpiry: minute });
    const upload = await registry.startUpload('a');
    await upload.append(encode('a'));
    const { source, open } = gated('b');
    const appending = upload.append(source);
    const timers = vi.spyOn(globalThis, 'setTimeout');
    await vi.advanceTimersByTimeAsync(10 * minute);
    expect(timers.mock.calls.length).toBeLessThan(20);
    timers.mockRestore();
    open();
    expect(await appending).toBe(2);
    await vi.advanceTimersByTimeAsync(minute - 1);
    expect(await upload.commit(digestOf(encode('ab')))).toMatchObject({ size: 2 });
  });

  test('does not keep the process from ending', async () => {
    vi.useRealTimers();
    const unref = vi.fn<() => void>();
    const timers = vi.spyOn(globalThis, 'setTimeout').mockReturnValue({ unref } as unknown as NodeJS.Timeout);
    try {
      const upload = await createMemoryRegistry().startUpload('a');
      await upload.append(encode('a'));
      expect([timers.mock.calls.length, unref.mock.calls.length]).toEqual([1, 1]);
    } finally {
      timers.mockRestore();
    }
  });

  test.each([30 * 24 * 60 * minute, Infinity])(
    'may have %d ms, which is longer than a timer runs',
    async (uploadExpiry) => {
      const registry = createMemoryRegistry({ uploadExpiry });
      const timers = vi.spyOn(globalThis, 'setTimeout');
      const upload = await registry.startUpload('a');
      await upload.append(encode('a'));
      expect(timers.mock.calls.map(([, delay]) => delay)).toEqual([2 ** 31 - 1]);
      timers.mockRestore();
      await vi.advanceTimersByTimeAsync(29 * 24 * 60 * minute);
      expect(upload.size).toBe(1);
      await vi.advanceTimersByTimeAsync(2 * 24 * 60 * minute);
      if (uploadExpiry === Infinity) expect(upload.size).toBe(1);
      else expect(() => upload.size).toThrow(expect.objectContaining(unknown));
    },
  );

  test('is gone even if its file cannot be removed', async () => {
    const { blobs } = observedStages(() => ({ discard: () => Promise.reject(new Error('the disk is gone')) }));
    const registry = createMemoryRegistry({ blobs, uploadExpiry: minute });
    const upload = await registry.startUpload('a');
    await upload.append(encode('a'));
    await vi.advanceTimersByTimeAsync(minute + 1);
    await expect(registry.resumeUpload('a', upload.id)).rejects.toMatchObject(unknown);
  });
});

describe('the stage of an upload', () => {
  test('is made with the first byte, released after each piece and kept in the end', async () => {
    const { blobs, calls } = observedStages();
    const registry = createMemoryRegistry({ blobs });
    const upload = await registry.startUpload('a');
    expect(calls).toEqual([]);
    await upload.append(encode('ab'));
    await upload.append(encode('c'));
    await upload.commit(digestOf(encode('abc')));
    expect(calls).toEqual(['append', 'release', 'append', 'release', 'keep', 'discard']);
  });

  test('is discarded when the upload is cancelled, or holds nothing', async () => {
    const { blobs, calls } = observedStages();
    const registry = createMemoryRegistry({ blobs });
    const upload = await registry.startUpload('a');
    await upload.append(new Uint8Array());
    expect(calls).toEqual(['discard']);
    await upload.append(encode('ab'));
    await upload.cancel();
    await upload.cancel();
    expect(calls).toEqual(['discard', 'append', 'release', 'discard']);
  });

  test('that fails in the middle of a piece is cut back to where it stood, and the upload goes on', async () => {
    let failures = 1;
    const { blobs } = observedStages((stage) => ({
      async append(bytes) {
        if (bytes.length > 1 && failures-- > 0) {
          await stage.append(bytes.subarray(0, 1));
          throw new Error('the disk is full');
        }
        await stage.append(bytes);
      },
    }));
    const registry = createMemoryRegistry({ blobs });
    const upload = await registry.startUpload('a');
    await upload.append(encode('a'));
    await expect(upload.append(encode('bc'))).rejects.toThrow('the disk is full');
    expect(upload.size).toBe(1);
    await upload.append(encode('bc'));
    const { digest } = await upload.commit(digestOf(encode('abc')));
    expect(await (await registry.getBlob('a', digest)).bytes()).toEqual(encode('abc'));
  });

  test('that cannot even be cut back does not become a blob of other bytes', async () => {
    let failures = 1;
    const { blobs } = observedStages((stage) => ({
      async append(bytes) {
        if (bytes.length > 1 && failures-- > 0) {
          await stage.append(encode('x'));
          throw new Error('the disk is gone');
        }
        await stage.append(bytes);
      },
      truncate: () => Promise.reject(new Error('the disk is gone')),
    }));
    const registry = createMemoryRegistry({ blobs });
    const upload = await registry.startUpload('a');
    await upload.append(encode('a'));
    await expect(upload.append(encode('bc'))).rejects.toThrow('the disk is gone');
    await upload.append(encode('bc'));
    await expect(upload.commit(digestOf(encode('abc')))).rejects.toThrow('the disk is gone');
    await expect(registry.resolveBlob('a', digestOf(encode('abc')))).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
  });

  test('that cannot be released does not stay busy', async () => {
    let failures = 1;
    const { blobs } = observedStages((stage) => ({
      async release() {
        if (failures-- > 0) throw new Error('the disk is gone');
        await stage.release();
      },
    }));
    const registry = createMemoryRegistry({ blobs });
    const upload = await registry.startUpload('a');
    await expect(upload.append(encode('a'))).rejects.toThrow('the disk is gone');
    // Bytes that were not acknowledged are not there.
    expect(await upload.append(encode('b'))).toBe(1);
  });

  test('that cannot be kept leaves the upload as it was', async () => {
    let failures = 1;
    const { blobs } = observedStages((stage) => ({
      async keep(repository, digest) {
        if (failures-- > 0) throw new Error('the disk is full');
        await stage.keep(repository, digest);
      },
    }));
    const registry = createMemoryRegistry({ blobs });
    const upload = await registry.startUpload('a');
    await upload.append(encode('abc'));
    const digest = digestOf(encode('abc'));
    await expect(upload.commit(digest)).rejects.toThrow('the disk is full');
    expect(await collect(registry.repositories())).toEqual([]);
    expect(upload.size).toBe(3);
    expect(await upload.commit(digest)).toMatchObject({ digest, size: 3 });
  });
});

describe('the id of an upload', () => {
  test('is good in its repository and registry only', async () => {
    const registry = createMemoryRegistry();
    const { id } = await registry.startUpload('a');
    const unknown = { code: 'BLOB_UPLOAD_UNKNOWN' };
    await expect(registry.resumeUpload('b', id)).rejects.toMatchObject(unknown);
    await expect(createMemoryRegistry().resumeUpload('a', id)).rejects.toMatchObject(unknown);
    for (const other of ['', 'x', '../a', '🦊', `${id}x`, id.slice(1), 'https://example.com/upload']) {
      await expect(registry.resumeUpload('a', other)).rejects.toMatchObject(unknown);
    }
    // Asking creates no repository.
    expect(await collect(registry.repositories())).toEqual([]);
  });

  test('stays unknown elsewhere when the upload holds bytes', async () => {
    const registry = createMemoryRegistry();
    const upload = await registry.startUpload('a');
    await upload.append(encode('secret'));
    await expect(registry.resumeUpload('b', upload.id)).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' });
  });
});

describe('many uploads that hold few bytes', () => {
  test('give way to others after a second without use, and those with many bytes after a minute', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const registry = createMemoryRegistry({ maxUploads: 20 });
      const start = async (size: number): ReturnType<Registry['startUpload']> => {
        const upload = await registry.startUpload('a');
        await upload.append(new Uint8Array(size));
        return upload;
      };
      const large = await start(8 * 1024 * 1024);
      for (let i = 1; i < 20; i++) await start(1);
      await expect(start(1)).rejects.toMatchObject({ code: 'TOOMANYREQUESTS', retryAfter: 2 });
      vi.advanceTimersByTime(2000);
      for (let i = 0; i < 19; i++) await start(1);
      await expect(start(1)).rejects.toMatchObject({ code: 'TOOMANYREQUESTS' });
      expect(await large.append(encode('1'))).toBe(8 * 1024 * 1024 + 1);
      vi.advanceTimersByTime(60_000);
      for (let i = 0; i < 20; i++) await start(1);
      await expect(large.append(encode('1'))).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' });
    } finally {
      vi.useRealTimers();
    }
  });
});
