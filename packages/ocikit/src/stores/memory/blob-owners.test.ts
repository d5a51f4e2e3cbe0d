import { describe, expect, test } from 'vitest';

import { digestOf, RegistryError } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';
import type { BlobStore } from '../blobs/index.ts';

import { BlobOwners } from './blob-owners.ts';

const digest = digestOf(Uint8Array.of(1));

interface Gate {
  promise: Promise<void>;
  open: () => void;
}

function gate(): Gate {
  let open = (): void => undefined;
  const promise = new Promise<void>((resolve) => (open = resolve));
  return { promise, open };
}

/** Lets everything happen that does not wait for a gate. */
const settle = (): Promise<void> => new Promise(setImmediate);

/** A blob store that tells what it was asked to delete, and under which repository. */
function deleting(remove: (repository: string, digest: Digest) => Promise<void> = async () => undefined): {
  owners: BlobOwners;
  deleted: string[];
} {
  const deleted: string[] = [];
  const blobs: BlobStore = {
    get: () => Promise.reject(new Error('not used')),
    async delete(repository, of) {
      deleted.push(repository);
      await remove(repository, of);
    },
  };
  return { owners: new BlobOwners(blobs), deleted };
}

describe('the owners of a blob', () => {
  test('are the repositories that were added', () => {
    const { owners } = deleting();
    expect([owners.has(digest), owners.any(digest), owners.size]).toEqual([false, undefined, 0]);
    owners.add(digest, 'a');
    owners.add(digest, 'b');
    expect([owners.has(digest), owners.any(digest), owners.size]).toEqual([true, 'a', 1]);
  });

  test('share bytes that go with the last of them, under the name of the first', async () => {
    const { owners, deleted } = deleting();
    for (const repository of ['a', 'b', 'c']) owners.add(digest, repository);
    await owners.remove(digest, 'a');
    expect(owners.home(digest, 'b')).toBe('a');
    await owners.remove(digest, 'c');
    await owners.remove(digest, 'c');
    expect([deleted, owners.any(digest)]).toEqual([[], 'b']);
    await owners.remove(digest, 'b');
    expect([deleted, owners.has(digest), owners.size]).toEqual([['a'], false, 0]);
  });

  test('may have it from a repository that is not one of them', async () => {
    const { owners, deleted } = deleting();
    owners.add(digest, 'b', { home: 'a' });
    expect([owners.any(digest), owners.home(digest, 'b')]).toEqual(['b', 'a']);
    await owners.remove(digest, 'b');
    expect(deleted).toEqual(['a']);
  });

  test('do not hide or remove what the blob store had before', async () => {
    const { owners, deleted } = deleting();
    owners.add(digest, 'b', { found: true });
    expect(owners.has(digest)).toBe(false);
    await owners.remove(digest, 'b');
    expect([deleted, owners.size]).toEqual([[], 0]);
  });

  test('of what is not known are none, and removing it does nothing', async () => {
    const { owners, deleted } = deleting();
    await owners.remove(digest, 'a');
    expect([deleted, owners.home(digest, 'a')]).toEqual([[], 'a']);
  });
});

describe('writing', () => {
  test('makes no repository an owner until it ends', async () => {
    const { owners } = deleting();
    const written = gate();
    const writing = owners.whileWriting(digest, 'a', async () => {
      await written.promise;
      owners.add(digest, 'a');
    });
    expect([owners.has(digest), owners.any(digest)]).toEqual([false, undefined]);
    written.open();
    await writing;
    expect([owners.has(digest), owners.any(digest)]).toEqual([true, 'a']);
  });

  test('is told the repository under which the bytes are kept', async () => {
    const { owners } = deleting();
    const homes: string[] = [];
    await owners.whileWriting(digest, 'a', async (home) => {
      homes.push(home);
      owners.add(digest, 'a');
    });
    await owners.whileWriting(digest, 'b', async (home) => void homes.push(home));
    expect(homes).toEqual(['a', 'a']);
  });

  test('leaves no trace if no repository became an owner, and gives its result or its error', async () => {
    const { owners, deleted } = deleting();
    expect(await owners.whileWriting(digest, 'a', async () => 7)).toBe(7);
    await expect(owners.whileWriting(digest, 'a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect([deleted, owners.size]).toEqual([[], 0]);
  });

  test('keeps bytes that are deleted meanwhile', async () => {
    const { owners, deleted } = deleting();
    owners.add(digest, 'a');
    const written = gate();
    const writing = owners.whileWriting(digest, 'b', async () => {
      await written.promise;
      owners.add(digest, 'b');
    });
    await owners.remove(digest, 'a');
    expect(deleted).toEqual([]);
    written.open();
    await writing;
    expect([deleted, owners.any(digest)]).toEqual([[], 'b']);
    await owners.remove(digest, 'b');
    expect(deleted).toEqual(['a']);
  });

  test('that fails removes the bytes that were deleted meanwhile', async () => {
    const { owners, deleted } = deleting();
    owners.add(digest, 'a');
    const written = gate();
    const writing = owners.whileWriting(digest, 'b', async () => {
      await written.promise;
      throw new Error('other bytes');
    });
    await owners.remove(digest, 'a');
    // No repository has the bytes, and yet no other repository may read them.
    expect([owners.has(digest), owners.any(digest)]).toEqual([true, undefined]);
    written.open();
    await expect(writing).rejects.toThrow('other bytes');
    expect([deleted, owners.has(digest), owners.size]).toEqual([['a'], false, 0]);
  });

  test('of two at a time removes nothing before the second has ended', async () => {
    const { owners, deleted } = deleting();
    owners.add(digest, 'a');
    const [first, second] = [gate(), gate()];
    const failing = owners.whileWriting(digest, 'b', async () => {
      await first.promise;
      throw new Error('other bytes');
    });
    const succeeding = owners.whileWriting(digest, 'c', async () => {
      await second.promise;
      owners.add(digest, 'c');
    });
    await owners.remove(digest, 'a');
    first.open();
    await expect(failing).rejects.toThrow();
    expect(deleted).toEqual([]);
    second.open();
    await succeeding;
    expect([deleted, owners.any(digest)]).toEqual([[], 'c']);
  });

  test('waits for a removal that has begun', async () => {
    const removed = gate();
    const { owners } = deleting(() => removed.promise);
    owners.add(digest, 'a');
    const order: string[] = [];
    const removing = owners.remove(digest, 'a').then(() => order.push('removed'));
    const writing = owners.whileWriting(digest, 'b', async () => {
      order.push('written');
      owners.add(digest, 'b');
    });
    await settle();
    expect([order, owners.has(digest)]).toEqual([[], true]);
    removed.open();
    await Promise.all([removing, writing]);
    expect(order.toSorted()).toEqual(['removed', 'written']);
    expect([owners.any(digest), owners.home(digest, 'b')]).toEqual(['b', 'b']);
  });
});

describe('a removal that fails', () => {
  test('rejects the call that asked for it, and no other repository may read the bytes', async () => {
    const { owners } = deleting(() => Promise.reject(new Error('the disk is gone')));
    owners.add(digest, 'a');
    await expect(owners.remove(digest, 'a')).rejects.toThrow('the disk is gone');
    expect([owners.has(digest), owners.any(digest)]).toEqual([true, undefined]);
  });

  test('does not prevent a new write of the bytes', async () => {
    let fails = true;
    const { owners, deleted } = deleting(async () => {
      if (fails) throw new Error('the disk is gone');
    });
    owners.add(digest, 'a');
    const removing = owners.remove(digest, 'a');
    const writing = owners.whileWriting(digest, 'b', async () => owners.add(digest, 'b'));
    await expect(removing).rejects.toThrow('the disk is gone');
    await writing;
    expect(owners.any(digest)).toBe('b');
    fails = false;
    await owners.remove(digest, 'b');
    expect([deleted, owners.size]).toEqual([['a', 'a'], 0]);
  });

  test('keeps no call waiting, even if the store fails at once', async () => {
    const blobs: BlobStore = {
      get: () => Promise.reject(new Error('not used')),
      delete() {
        throw new Error('the disk is gone');
      },
    };
    const owners = new BlobOwners(blobs);
    owners.add(digest, 'a');
    await expect(owners.remove(digest, 'a')).rejects.toThrow('the disk is gone');
    await owners.whileWriting(digest, 'b', async () => owners.add(digest, 'b'));
    expect(owners.any(digest)).toBe('b');
  });

  test('is none if the bytes have gone already', async () => {
    const { owners } = deleting(() => Promise.reject(new RegistryError('BLOB_UNKNOWN', 'gone')));
    owners.add(digest, 'a');
    await owners.remove(digest, 'a');
    expect([owners.has(digest), owners.size]).toEqual([false, 0]);
  });
});
