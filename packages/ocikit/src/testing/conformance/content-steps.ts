// The official tests of a content: pushing, listing, reading and deleting it.
import { collect } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';
import { equal, identityOf, rejects, sameBytes, worksOr } from '../cases/index.ts';
import type { Scene } from '../cases/index.ts';
import type { TestManifest } from '../content/index.ts';

import type { OfficialContent } from './contents.ts';
import type { Step } from './step.ts';

/** The steps that push a content, list it, resolve it, read it and delete it. */
export function contentSteps(content: OfficialContent): Step[] {
  const { blobs, manifests, tags } = content;
  const steps = [
    ...pushSteps(content),
    tagListStep(content),
    ...(tags.size > 0 ? [headByTag(content)] : []),
    headByDigest(manifests),
    headBlobs(content),
    ...(tags.size > 0 ? [pullByTag(content)] : []),
    pullByDigest(manifests),
    pullBlobs(content),
    ...(content.referrers === undefined ? [] : [referrersStep(content)]),
    ...(tags.size > 0 ? [deleteTags(content)] : []),
    deleteManifests(manifests),
    deleteBlobs(content),
  ];
  return blobs.size > 0 ? steps : steps.filter(({ name }) => !name.includes('/blob-'));
}

/** The steps that push a content. */
export function pushSteps(content: OfficialContent): Step[] {
  const { tags } = content;
  return [
    pushBlobs(content),
    pushByDigest(content),
    ...(tags.size > 0 && content.tagsWithDigest !== true ? [pushByTag(content)] : []),
  ];
}

/** Pushes the blobs. */
export function pushBlobs({ blobs }: OfficialContent, name: string = 'push/blob-post-put'): Step {
  const prepare = async ({ registry }: Scene, repository: string): Promise<void> => {
    for (const { descriptor, bytes } of blobs.values()) {
      const upload = await registry.startUpload(repository);
      await upload.commit(descriptor.digest, { source: bytes, size: bytes.length });
    }
  };
  return {
    name,
    proves: 'pushes each blob through an upload that is committed in one step',
    prepare,
    run: async (scene, repository) => {
      await prepare(scene, repository);
      for (const { descriptor, bytes } of blobs.values()) {
        const content = await scene.registry.getBlob(repository, descriptor.digest);
        sameBytes(await content.bytes(), bytes, 'the blob afterwards');
      }
      return blobs.size;
    },
  };
}

function pushByDigest(content: OfficialContent): Step {
  const { manifests } = content;
  const prepare = async ({ registry }: Scene, name: string): Promise<void> => {
    for (const { descriptor, bytes, mediaType } of manifests) {
      const { digest } = descriptor;
      const tags = content.tagsWithDigest === true ? tagsOf(content, digest) : [];
      const pushed = await registry.pushManifest(name, bytes, mediaType, { digest, tags });
      equal(identityOf(pushed.descriptor), descriptor, 'the result of pushManifest');
      equal(pushed.tags.toSorted(), tags.toSorted(), 'the tags that it returns');
      // The suite made the manifest, so its shape is known.
      const { subject } = JSON.parse(new TextDecoder().decode(bytes)) as { subject?: { digest: Digest } };
      equal(pushed.subject, subject?.digest, 'the subject that it returns');
    }
  };
  return {
    name: 'push/manifest-by-digest',
    proves: 'pushes each manifest by its digest',
    prepare,
    run: async (scene, name) => {
      await prepare(scene, name);
      for (const { descriptor, bytes } of manifests) {
        const found = await scene.registry.getManifest(name, descriptor.digest);
        sameBytes(found.bytes, bytes, 'the manifest afterwards');
      }
      return manifests.length;
    },
  };
}

function pushByTag({ tags }: OfficialContent): Step {
  const prepare = async ({ registry }: Scene, name: string): Promise<void> => {
    for (const [tag, { descriptor, bytes, mediaType }] of tags) {
      const pushed = await registry.pushManifest(name, bytes, mediaType, { tags: [tag] });
      equal(identityOf(pushed.descriptor), descriptor, 'the result of pushManifest');
    }
  };
  return {
    name: 'push/manifest-by-tag',
    proves: 'pushes each manifest that has a tag by its tag',
    prepare,
    run: async (scene, name) => {
      await prepare(scene, name);
      for (const [tag, { bytes }] of tags) {
        sameBytes((await scene.registry.getTag(name, tag)).bytes, bytes, 'the manifest afterwards');
      }
      return tags.size;
    },
  };
}

/** Lists the tags. */
export function tagListStep({ tags }: OfficialContent): Step {
  return {
    name: 'tag-list',
    proves: 'lists all tags and those after the middle',
    run: async ({ registry }, name) => {
      const all = await collect(registry.tags(name));
      equal(all, [...tags.keys()].toSorted(), 'the tags');
      const half = Math.floor(all.length / 2);
      const startAfter = all[half - 1];
      if (startAfter !== undefined) {
        equal(await collect(registry.tags(name, { startAfter })), all.slice(half), `the tags after ${startAfter}`);
      }
      return 1;
    },
  };
}

function headByTag({ tags }: OfficialContent): Step {
  return {
    name: 'head/manifest-head-by-tag',
    proves: 'resolves each tag',
    run: async ({ registry }, name) => {
      for (const [tag, { descriptor }] of tags) {
        equal(identityOf(await registry.resolveTag(name, tag)), descriptor, `the manifest at ${tag}`);
      }
      return tags.size;
    },
  };
}

function headByDigest(manifests: readonly TestManifest[]): Step {
  return {
    name: 'head/manifest-head-by-digest',
    proves: 'resolves each manifest',
    run: async ({ registry }, name) => {
      for (const { descriptor } of manifests) {
        equal(
          identityOf(await registry.resolveManifest(name, descriptor.digest)),
          descriptor,
          'the result of resolveManifest',
        );
      }
      return manifests.length;
    },
  };
}

/** Resolves the blobs. */
export function headBlobs({ blobs }: OfficialContent): Step {
  return {
    name: 'head/blob-head',
    proves: 'resolves each blob',
    run: async ({ registry }, name) => {
      for (const [digest, { bytes }] of blobs) {
        const expected = { mediaType: 'application/octet-stream', digest, size: bytes.length };
        equal(identityOf(await registry.resolveBlob(name, digest)), expected, 'the result of resolveBlob');
      }
      return blobs.size;
    },
  };
}

function pullByTag({ tags }: OfficialContent): Step {
  return {
    name: 'pull/manifest-by-tag',
    proves: 'gives each tagged manifest as it was pushed',
    run: async ({ registry }, name) => {
      for (const [tag, manifest] of tags) {
        const { descriptor, bytes } = await registry.getTag(name, tag);
        equal(identityOf(descriptor), manifest.descriptor, `the descriptor at ${tag}`);
        sameBytes(bytes, manifest.bytes, `the manifest at ${tag}`);
      }
      return tags.size;
    },
  };
}

function pullByDigest(manifests: readonly TestManifest[]): Step {
  return {
    name: 'pull/manifest-by-digest',
    proves: 'gives each manifest as it was pushed',
    run: async ({ registry }, name) => {
      for (const manifest of manifests) {
        const { descriptor, bytes } = await registry.getManifest(name, manifest.descriptor.digest);
        equal(identityOf(descriptor), manifest.descriptor, 'the descriptor');
        sameBytes(bytes, manifest.bytes, 'the manifest');
      }
      return manifests.length;
    },
  };
}

/** Reads the blobs. */
export function pullBlobs({ blobs }: OfficialContent): Step {
  return {
    name: 'pull/blob-get',
    proves: 'gives each blob as it was pushed',
    run: async ({ registry }, name) => {
      for (const [digest, { bytes }] of blobs) {
        sameBytes(await (await registry.getBlob(name, digest)).bytes(), bytes, 'the blob');
      }
      return blobs.size;
    },
  };
}

function referrersStep({ subject = 'sha256:', referrers = [] }: OfficialContent): Step {
  return {
    name: 'referrers',
    proves: 'lists all referrers and those of each type',
    run: async ({ registry }, name) => {
      const expected = referrers.toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
      equal(await collect(registry.referrers(name, subject)), expected, 'the referrers');
      for (const artifactType of new Set(referrers.map((referrer) => referrer.artifactType))) {
        const ofType = expected.filter((referrer) => referrer.artifactType === artifactType);
        equal(await collect(registry.referrers(name, subject, { artifactType })), ofType, `those of ${artifactType}`);
      }
      return 1;
    },
  };
}

function deleteTags({ tags }: OfficialContent): Step {
  const run = async ({ registry }: Scene, name: string): Promise<number> => {
    for (const tag of tags.keys()) {
      await registry.deleteTag(name, tag);
      await rejects(registry.resolveTag(name, tag), 'MANIFEST_UNKNOWN', `${tag} afterwards`);
    }
    return tags.size;
  };
  return {
    name: 'delete/tag-delete',
    proves: 'deletes each tag at once',
    needs: ['deletable tags'],
    prepare: run,
    run,
  };
}

/**
 * Deletes the manifests.
 *
 * @param stored false if the registry refused them before
 */
export function deleteManifests(manifests: readonly TestManifest[], stored: boolean = true): Step {
  const run = async ({ registry }: Scene, name: string): Promise<number> => {
    for (const { descriptor } of manifests.toReversed()) {
      const deleted = await worksOr('MANIFEST_UNKNOWN', registry.deleteManifest(name, descriptor.digest));
      equal(deleted, stored, 'whether the manifest was stored');
      const after = registry.getManifest(name, descriptor.digest);
      await rejects(after, ['MANIFEST_UNKNOWN', 'NAME_UNKNOWN'], 'the manifest afterwards');
    }
    return manifests.length;
  };
  return {
    name: 'delete/manifest-delete',
    proves: stored ? 'deletes each manifest at once' : 'does not find the manifest that was refused',
    needs: ['deletable tags'],
    prepare: run,
    run,
  };
}

/** Deletes the blobs. */
export function deleteBlobs({ blobs }: OfficialContent): Step {
  const run = async ({ registry }: Scene, name: string): Promise<number> => {
    for (const digest of blobs.keys()) {
      await registry.deleteBlob(name, digest);
      await rejects(
        registry.getBlob(name, digest).then((content) => content.bytes()),
        ['BLOB_UNKNOWN', 'NAME_UNKNOWN'],
        'the blob afterwards',
      );
    }
    return blobs.size;
  };
  return {
    name: 'delete/blob-delete',
    proves: 'deletes each blob at once',
    needs: ['deletable tags'],
    prepare: run,
    run,
  };
}

function tagsOf({ tags }: OfficialContent, digest: Digest): string[] {
  return [...tags].flatMap(([tag, { descriptor }]) => (descriptor.digest === digest ? [tag] : []));
}
