// Cases for the events that a registry reports while it transfers content.
import type { TransferEvent } from '../../model/index.ts';
import {
  assertNoRepository,
  chunkLength,
  equal,
  group,
  holds,
  inPieces,
  rejects,
  rejectsBecauseOf,
} from '../cases/index.ts';
import type { DefineGroup } from '../cases/index.ts';
import { randomBlob } from '../content/index.ts';

/** The cases for `onEvent`. */
export const events: DefineGroup = group('the listener for events', ['writing'], (test) => {
  test('is told of a pushed blob from its start to its end', async ({ registry, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(300_000);
    const told: TransferEvent[] = [];
    await registry.pushBlob(name, descriptor, inPieces(bytes, 50_000), { onEvent: (event) => told.push(event) });
    const types = told.map(({ type }) => type);
    equal(types[0], 'started', 'the first event');
    equal(types.at(-1), 'done', 'the last event');
    equal(types.filter((type) => type === 'done').length, 1, 'the number of events of the type done');
    for (const event of told) {
      equal(event.repository, name, `the repository of ${event.type}`);
      equal(event.digest, descriptor.digest, `the digest of ${event.type}`);
      equal(event.size, descriptor.size, `the size of ${event.type}`);
    }
    const transferred = told.flatMap((event) => (event.type === 'bytes' ? [event.transferred] : []));
    holds(transferred.length > 0, 'expected events of the type bytes, but there are none');
    equal(
      transferred.toSorted((a, b) => a - b),
      transferred,
      'the transferred bytes, which can only grow',
    );
    equal(transferred.at(-1), descriptor.size, 'the transferred bytes at the end');
    const verified = types.indexOf('verified');
    holds(
      verified > types.lastIndexOf('bytes') || verified < 0,
      'expected verified after the last event of the type bytes, but it comes before',
    );
  });

  test('is not told that a refused blob is done', async ({ registry, repository }) => {
    const told: TransferEvent[] = [];
    const { descriptor } = randomBlob(1000);
    const push = registry.pushBlob(repository(), descriptor, randomBlob(1000).bytes, {
      onEvent: (event) => told.push(event),
    });
    await rejects(push, 'DIGEST_INVALID');
    const ends = told.filter(({ type }) => type === 'done' || type === 'verified');
    equal(ends, [], 'the events that say it is done');
  });

  test('ends a push with the error that it throws, and nothing is stored', async (scene) => {
    const name = scene.repository();
    const { descriptor, bytes } = randomBlob(1000);
    const reason = new Error('the listener failed');
    const push = scene.registry.pushBlob(name, descriptor, bytes, {
      onEvent: () => {
        throw reason;
      },
    });
    await rejectsBecauseOf(push, reason, 'pushBlob');
    await assertNoRepository(scene, name, descriptor.digest);
  });

  test('is told that a blob was mounted', async ({ registry, repository }) => {
    const [from, to] = [repository(), repository()];
    const { descriptor, bytes } = randomBlob(1000);
    await registry.pushBlob(from, descriptor, bytes);
    const told: TransferEvent[] = [];
    const { digest } = descriptor;
    await registry.mountBlob(from, to, digest, { onEvent: (event) => told.push(event) });
    const mounted = told.find(({ type }) => type === 'mounted');
    equal({ ...mounted, size: undefined }, { type: 'mounted', repository: to, digest, from }, 'the event');
    const moved = told.filter(({ type }) => type === 'started' || type === 'bytes');
    equal(moved, [], 'the events that say that bytes move');
  });

  test('is told that an upload is done', async ({ registry, repository }) => {
    const name = repository();
    const upload = await registry.startUpload(name);
    const { descriptor, bytes } = randomBlob(chunkLength(upload, 1000));
    const told: TransferEvent[] = [];
    const onEvent = (event: TransferEvent): void => void told.push(event);
    await upload.append(bytes, { onEvent });
    const transferred = told.flatMap((event) => (event.type === 'bytes' ? [event.transferred] : []));
    equal(transferred.at(-1), bytes.length, 'the transferred bytes at the end');
    await upload.commit(descriptor.digest, { onEvent });
    const { digest, size } = descriptor;
    equal(told.at(-1), { type: 'done', repository: name, digest, size }, 'the last event');
  });
});
