// The counterpart of the official conformance suite, as groups of cases.
import { collect } from '../../model/index.ts';
import { algorithms, caseOf, equal, rejects } from '../cases/index.ts';
import type { ContractCase, ContractTarget, DefineGroup } from '../cases/index.ts';
import { imageOf, randomName } from '../content/index.ts';

import { blobChains } from './blob-chains.ts';
import type { Chain } from './blob-chains.ts';
import {
  contentSteps,
  deleteBlobs,
  deleteManifests,
  headBlobs,
  pullBlobs,
  pushBlobs,
  pushSteps,
  tagListStep,
} from './content-steps.ts';
import type { Step } from './content-steps.ts';
import { imageToRefuse, officialContents } from './contents.ts';
import { officialTests } from './official-tests.ts';

const counts = new Map(officialTests);

/**
 * The counterpart of the distribution specification's conformance suite: a case for each of its tests, under the
 * official name. A case first runs the steps that come before it.
 */
export const officialGroups: readonly DefineGroup[] = [
  officialGroup('basics', [
    { name: '', steps: () => [pingStep()] },
    { name: 'empty', steps: () => [emptyTags()] },
    { name: 'empty', steps: () => [emptyReferrers()] },
  ]),
  ...algorithms.map((algorithm) => officialGroup(`${algorithm} blobs`, blobChains(algorithm), `${algorithm} blobs/`)),
  ...Object.entries(officialContents).map(([name, make]) =>
    officialGroup(name, [{ name, needs: name === 'sparse' ? ['sparse'] : [], steps: () => contentSteps(make()) }]),
  ),
  officialGroup('manifests that are refused', [
    { name: 'bad-digest-image', steps: badDigestSteps },
    { name: 'missing-manifest', steps: () => [missingByDigest()] },
    { name: 'missing-manifest', steps: () => [missingByTag()] },
    { name: 'invalid-digest-format', steps: invalidDigestSteps },
  ]),
];

/** @param prefix the beginning of the official names of all chains */
function officialGroup(name: string, chains: readonly Chain[], prefix: string = ''): DefineGroup {
  return (target) => ({
    name: `the official tests: ${name}`,
    cases: chains.flatMap((chain) =>
      chain.steps().map((step, i) => {
        const official = [prefix + chain.name, step.name].filter((part) => part !== '').join('/');
        return stepCase(target, chain, step, i, official);
      }),
    ),
  });
}

/** Makes a case of a step. It runs the steps before it too, with content of its own. */
function stepCase(
  target: ContractTarget,
  chain: Chain,
  { proves, needs = [] }: Step,
  position: number,
  official: string,
): ContractCase {
  const all = ['writing', ...(chain.needs ?? []), ...needs] as const;
  const made = caseOf(target, `${proves} (${official})`, all, async (scene) => {
    const repository = scene.repository();
    const steps = chain.steps();
    for (const before of steps.slice(0, position)) await before.prepare?.(scene, repository);
    equal(
      await steps[position]?.run(scene, repository),
      counts.get(official),
      'the number of official tests that the step stands for',
    );
  });
  return { ...made, official };
}

function pingStep(): Step {
  return {
    name: 'ping',
    proves: 'answers a request',
    run: async ({ registry }) => {
      await collect(registry.repositories({ limit: 1 }));
      return 1;
    },
  };
}

function emptyTags(): Step {
  return {
    name: 'tag list',
    proves: 'rejects a list of the tags of an unknown repository',
    run: async ({ registry }, name) => {
      await rejects(collect(registry.tags(name)), 'NAME_UNKNOWN');
      return 1;
    },
  };
}

function emptyReferrers(): Step {
  return {
    name: 'referrers',
    proves: 'lists no referrers in an unknown repository',
    run: async ({ registry }, name) => {
      equal(await collect(registry.referrers(name, imageOf().descriptor.digest)), [], 'the referrers');
      return 1;
    },
  };
}

function missingByDigest(): Step {
  return {
    name: 'by-digest',
    proves: 'does not find a digest that was never pushed',
    run: async ({ registry }, name) => {
      const call = registry.getManifest(name, imageOf().descriptor.digest);
      await rejects(call, ['MANIFEST_UNKNOWN', 'NAME_UNKNOWN']);
      return 1;
    },
  };
}

function missingByTag(): Step {
  return {
    name: 'by-tag',
    proves: 'does not find a tag that was never set',
    run: async ({ registry }, name) => {
      await rejects(registry.getTag(name, `missing-${randomName()}`), ['MANIFEST_UNKNOWN', 'NAME_UNKNOWN']);
      return 1;
    },
  };
}

function badDigestSteps(): Step[] {
  const content = imageToRefuse(2);
  const [blobs] = pushSteps(content);
  const refuse: Step = {
    name: 'push/manifest-by-digest',
    proves: 'refuses a manifest that does not have its digest',
    run: async ({ registry }, name) => {
      for (const { descriptor, bytes, mediaType } of content.manifests) {
        const changed = new Uint8Array([...bytes, 32, 32]);
        const { digest } = descriptor;
        await rejects(registry.pushManifest(name, changed, mediaType, { digest }), 'DIGEST_INVALID');
      }
      return content.manifests.length;
    },
  };
  return [
    ...(blobs === undefined ? [] : [blobs]),
    refuse,
    tagListStep(content),
    headBlobs(content),
    pullBlobs(content),
    deleteManifests(content.manifests, false),
    deleteBlobs(content),
  ];
}

const malformed = 'sha256:baddigeststring';

function invalidDigestSteps(): Step[] {
  const content = imageToRefuse(1);
  const put: Step = {
    name: 'manifest-put',
    proves: 'refuses to push a manifest with a malformed digest',
    run: async ({ registry }, name) => {
      for (const { bytes, mediaType } of content.manifests) {
        await rejects(registry.pushManifest(name, bytes, mediaType, { digest: malformed }), 'DIGEST_INVALID');
      }
      return 1;
    },
  };
  const get: Step = {
    name: 'manifest-get',
    proves: 'does not look for a manifest with a malformed digest',
    run: async ({ registry }, name) => {
      await rejects(registry.getManifest(name, malformed), 'DIGEST_INVALID');
      return 1;
    },
  };
  return [
    pushBlobs(content, 'blob-post-put'),
    put,
    get,
    deleteManifests(content.manifests, false),
    deleteBlobs(content),
  ];
}
