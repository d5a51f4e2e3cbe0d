import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { isRegistryError } from '../../model/index.ts';
import type { BlobUpload, Descriptor, Registry } from '../../model/index.ts';
import { artifactOf, blobOf, emptyJson, imageOf, indexOf } from '../../testing/index.ts';
import type { TestBlob, TestManifest } from '../../testing/index.ts';

import { createMemoryRegistry } from '../memory/index.ts';

import { openLayout, openLayouts } from './index.ts';
import type { LayoutRegistry } from './index.ts';

const layers: TestBlob[] = [blobOf('one layer'), blobOf('another layer')];
const config = emptyJson();
const images = layers.map((layer) => imageOf({ config, layers: [layer] }));
const [image = imageOf()] = images;
const signature = artifactOf({
  artifactType: 'application/vnd.example.signature',
  subject: image.descriptor,
  layers: [layers[0] ?? config],
});
const manifests: TestManifest[] = [...images, indexOf(images), signature];
// A manifest may be pushed as a blob as well.
const blobs: TestBlob[] = [...layers, config, blobOf(image.bytes)];
const tags = ['latest', 'v1'];
// One that lies in another's directory, and one that would be mistaken for a layout's own file.
const repositories = ['app', 'app/sub', 'app/index.json', 'app-b'];

const repository = fc.constantFrom(...repositories);
const blob = fc.constantFrom(...blobs);
const manifest = fc.constantFrom(...manifests);
const tag = fc.constantFrom(...tags);
const digest = fc.oneof(
  blob.map(({ descriptor }) => descriptor.digest),
  manifest.map(({ descriptor }) => descriptor.digest),
);
const ifTag = fc.constantFrom(undefined, undefined, null, ...manifests.map(({ descriptor }) => descriptor.digest));

interface Side {
  registry: Registry;
  uploads: Map<string, BlobUpload>;
}

type Step = { text: string; run: (side: Side) => Promise<unknown> };

const step = (text: string, run: Step['run']): Step => ({ text, run });

const steps: fc.Arbitrary<Step>[] = [
  fc
    .tuple(repository, blob)
    .map(([r, { descriptor, bytes }]) =>
      step(`push blob ${descriptor.digest} to ${r}`, ({ registry }) => registry.pushBlob(r, descriptor, bytes)),
    ),
  fc.tuple(repository, manifest).map(([r, { blobs: named, descriptor }]) =>
    step(`push the blobs of ${descriptor.digest} to ${r}`, async ({ registry }) => {
      for (const one of named) await registry.pushBlob(r, one.descriptor, one.bytes);
    }),
  ),
  fc
    .tuple(repository, manifest, fc.uniqueArray(tag), ifTag)
    .map(([r, { bytes, mediaType, descriptor }, some, condition]) =>
      step(`push manifest ${descriptor.digest} to ${r} as ${some.join()} if ${condition}`, ({ registry }) =>
        registry.pushManifest(r, bytes, mediaType, { tags: some, ifTag: condition }),
      ),
    ),
  fc
    .tuple(repository, blob)
    .map(([r, { descriptor }]) =>
      step(`delete blob ${descriptor.digest} of ${r}`, ({ registry }) => registry.deleteBlob(r, descriptor.digest)),
    ),
  fc
    .tuple(repository, manifest)
    .map(([r, { descriptor }]) =>
      step(`delete manifest ${descriptor.digest} of ${r}`, ({ registry }) =>
        registry.deleteManifest(r, descriptor.digest),
      ),
    ),
  fc
    .tuple(repository, tag)
    .map(([r, t]) => step(`delete tag ${t} of ${r}`, ({ registry }) => registry.deleteTag(r, t))),
  fc.tuple(repository, repository, digest).map(([from, r, d]) =>
    step(`mount ${d} from ${from} in ${r}`, async ({ registry }) => {
      const { descriptor, upload } = await registry.mountBlob(from, r, d);
      await upload?.cancel();
      return descriptor;
    }),
  ),
  repository.map((r) =>
    step(`start an upload in ${r}`, async ({ registry, uploads }) => {
      uploads.set(r, await registry.startUpload(r));
    }),
  ),
  fc.tuple(repository, blob).map(([r, { descriptor, bytes }]) =>
    step(`append half of ${descriptor.digest} to the upload in ${r}`, async ({ uploads }) => {
      const upload = uploads.get(r);
      if (upload === undefined) return undefined;
      const half = bytes.length >> 1;
      const piece = upload.size === 0 ? bytes.subarray(0, half) : bytes.subarray(half);
      return [await upload.append(piece), upload.size];
    }),
  ),
  fc.tuple(repository, blob).map(([r, { descriptor }]) =>
    step(`commit the upload in ${r} as ${descriptor.digest}`, async ({ uploads }) => {
      const committed = await uploads.get(r)?.commit(descriptor.digest);
      uploads.delete(r);
      return committed;
    }),
  ),
];

const betweenSteps = fc.constantFrom('fold', 'reopen', 'kill');
const whatHappens = fc.array(
  fc.oneof({ weight: 12, arbitrary: fc.oneof(...steps) }, { weight: 3, arbitrary: betweenSteps }),
  { minLength: 5, maxLength: 40 },
);

for (const [kind, open] of [
  ['a shared layout', openLayout],
  ['a layout for each repository', openLayouts],
] as const) {
  describe(kind, () => {
    test('does what a registry in memory does, whenever it is folded, closed or killed', async () => {
      await fc.assert(
        fc.asyncProperty(whatHappens, async (happenings) => {
          const dir = await mkdtemp(join(tmpdir(), 'ocikit-model-'));
          const model: Side = { registry: createMemoryRegistry(), uploads: new Map() };
          const warnings: unknown[] = [];
          const reopen = (): LayoutRegistry =>
            open(dir, { durability: 'none', onWarning: (message, fields) => warnings.push([message, fields]) });
          const opened = [reopen()];
          let registry = opened[0] ?? reopen();
          const layout: Side = { registry, uploads: new Map() };
          const replace = async (): Promise<void> => {
            registry = reopen();
            opened.push(registry);
            layout.registry = registry;
            for (const [name, upload] of layout.uploads) {
              layout.uploads.set(name, await registry.resumeUpload(name, upload.id));
            }
          };
          try {
            for (const happening of happenings) {
              if (happening === 'fold') {
                await registry.fold();
              } else if (happening === 'reopen') {
                await registry.close();
                await replace();
              } else if (happening === 'kill') {
                await rm(join(dir, '.ocikit/lock'), { force: true });
                await replace();
              } else {
                const expected = await outcome(happening.run(model));
                expect(await outcome(happening.run(layout)), happening.text).toEqual(expected);
              }
            }
            expect(await everything(registry)).toEqual(await everything(model.registry));
            expect(warnings).toEqual([]);
          } finally {
            for (const one of opened) await one.close().catch(() => undefined);
            await rm(dir, { recursive: true });
          }
        }),
        { seed: 20_240_229, numRuns: 150, interruptAfterTimeLimit: 5000, markInterruptAsFailure: false },
      );
    });
  });
}

async function outcome(promise: Promise<unknown>): Promise<unknown> {
  try {
    return { is: await promise };
  } catch (error) {
    if (isRegistryError(error)) return { fails: error.code };
    throw error;
  }
}

/** All that a client can see. */
async function everything(registry: Registry): Promise<unknown> {
  const all: Record<string, unknown> = { repositories: await collect(registry.repositories()) };
  for (const name of repositories) {
    const found: unknown[] = [await outcome(collect(registry.tags(name)))];
    for (const t of tags) found.push(await outcome(registry.getTag(name, t)));
    for (const { descriptor } of manifests) {
      found.push(await outcome(registry.resolveManifest(name, descriptor.digest)));
      found.push(await outcome(collect<Descriptor>(registry.referrers(name, descriptor.digest))));
      found.push(await outcome(registry.resolveBlob(name, descriptor.digest)));
    }
    for (const { descriptor } of blobs) {
      found.push(await outcome(registry.getBlob(name, descriptor.digest).then((content) => content.bytes())));
    }
    all[name] = found;
  }
  return all;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
