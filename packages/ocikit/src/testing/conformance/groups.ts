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

import { imageToRefuse, officialContents } from './contents.ts';
import { officialTests } from './official-tests.ts';
import { singleStep } from './step.ts';
import type { Step } from './step.ts';

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
  return singleStep('ping', 'answers a request', ({ registry }) => collect(registry.repositories({ limit: 1 })));
}

function emptyTags(): Step {
  return singleStep('tag list', 'rejects a list of the tags of an unknown repository', ({ registry }, name) =>
    rejects(collect(registry.tags(name)), 'NAME_UNKNOWN'),
  );
}

function emptyReferrers(): Step {
  return singleStep('referrers', 'lists no referrers in an unknown repository', async ({ registry }, name) => {
    equal(await collect(registry.referrers(name, imageOf().descriptor.digest)), [], 'the referrers');
  });
}

function missingByDigest(): Step {
  return singleStep('by-digest', 'does not find a digest that was never pushed', ({ registry }, name) =>
    rejects(registry.getManifest(name, imageOf().descriptor.digest), ['MANIFEST_UNKNOWN', 'NAME_UNKNOWN']),
  );
}

function missingByTag(): Step {
  return singleStep('by-tag', 'does not find a tag that was never set', ({ registry }, name) =>
    rejects(registry.getTag(name, `missing-${randomName()}`), ['MANIFEST_UNKNOWN', 'NAME_UNKNOWN']),
  );
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
  const put = singleStep('manifest-put', 'refuses to push a manifest with a malformed digest', async (scene, name) => {
    for (const { bytes, mediaType } of content.manifests) {
      await rejects(scene.registry.pushManifest(name, bytes, mediaType, { digest: malformed }), 'DIGEST_INVALID');
    }
  });
  const get = singleStep('manifest-get', 'refuses to read a manifest with a malformed digest', ({ registry }, name) =>
    rejects(registry.getManifest(name, malformed), 'DIGEST_INVALID'),
  );
  return [
    pushBlobs(content, 'blob-post-put'),
    put,
    get,
    deleteManifests(content.manifests, false),
    deleteBlobs(content),
  ];
}
