import { afterAll } from 'vitest';

import { createClient } from '../../../http/client/index.ts';
import type { ClientOptions } from '../../../http/client/index.ts';
import type { ServerOptions } from '../../../http/server/index.ts';
import { nodeFetch, serve } from '../../../node/index.ts';
import type { Serving } from '../../../node/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';
import { describeDeviating } from '../../../../test/deviations.ts';
import type { Deviation } from '../../../../test/deviations.ts';
import {
  acceptingAtMost,
  bareHead,
  chunked,
  deletingWith,
  ignoringParameters,
  ignoringRanges,
  ignoringTagParameters,
  withAbsoluteLocations,
  withTypeParameters,
  withUploadState,
  withoutDigests,
  withoutHead,
  withoutUploadOffsets,
} from '../../../../test/quirks.ts';

import { registryContract } from '../../index.ts';

interface OtherRegistry extends ServerOptions {
  /** Promises that such a registry cannot keep for any client. */
  deviations: readonly Deviation[];
  client?: Partial<ClientOptions>;
}

const fetch = nodeFetch();
const servings: Promise<Serving>[] = [];
afterAll(async () => {
  fetch.close();
  await Promise.all(servings.map(async (serving) => (await serving).close(0)));
});

/** The cases in which a tag has to tell that its manifest was pushed by another digest than sha256. */
const tagsOfSha512: readonly (string | RegExp)[] = [
  'pushing manifests: sets tags on a manifest that its sha512 digest names',
  'tagging: moves a tag to a manifest with a sha512 digest',
  'changing tags on a condition: moves a tag from a sha512 manifest only if it is at the given digest',
  'changing tags on a condition: sets a tag on a sha512 manifest only if it does not exist',
  'the official tests: tag-param-sha512: resolves each tag (tag-param-sha512/head/manifest-head-by-tag)',
  'the official tests: tag-param-sha512: gives each tagged manifest as it was pushed (tag-param-sha512/pull/manifest-by-tag)',
];

/** Combinations of peculiarities, as real registries have them. The client runs the whole contract with each. */
const registries: Record<string, OtherRegistry> = {
  'of long ago: no referrers API, tags one by one, uploads with a state, everything in chunks': {
    middleware: [
      chunked,
      withTypeParameters,
      withUploadState(),
      withoutUploadOffsets,
      ignoringTagParameters,
      deletingWith(204),
    ],
    disableReferrersApi: true,
    disableSinglePostUpload: true,
    deviations: [
      {
        because: 'set by tag, a manifest has the digest that the registry likes',
        cases: [...tagsOfSha512, 'deleting manifests: deletes a sha512 manifest with its tags'],
      },
      {
        because: 'it has no API for referrers, so a list of them is a tag',
        cases: [/^the official tests: (?:artifacts-with|index-with|missing)-subject: lists all tags/],
      },
      {
        because: "who changes an upload's state is told that it is wrong, not that there is no upload",
        cases: ['a resumed upload: is unknown by a changed id'],
      },
    ],
  },
  'behind a proxy: no HEAD, no ranges, small bodies only, lists in one piece': {
    middleware: [withoutHead, ignoringRanges, acceptingAtMost(1024 * 1024), ignoringParameters('n', 'last')],
    deviations: [
      {
        because: 'a manifest of this size is refused',
        cases: [
          /^pushing manifests: stores a manifest of about four million bytes (?:with a tag|by its sha(?:256|512) digest)/,
          /^the official tests: large-manifest: (?!pushes each blob)/,
        ],
      },
      {
        because: 'what can be read only once cannot be sent again in smaller parts',
        cases: ['pushing blobs: stores a blob of several MiB that comes in uneven pieces'],
      },
    ],
  },
  'that says little: no digests, no lengths, no Link': {
    middleware: [withoutDigests, bareHead, withAbsoluteLocations, deletingWith(200)],
    omitLinkHeaderFromResponses: true,
    client: { pageSize: 7 },
    deviations: [{ because: "nothing says by which algorithm a tag's digest is computed", cases: tagsOfSha512 }],
  },
};

for (const [name, { deviations, client, ...options }] of Object.entries(registries)) {
  let serving: Promise<Serving> | undefined;
  const start = (): Promise<Serving> => {
    const started = serve(createMemoryRegistry(), { ...options, port: 0 });
    servings.push(started);
    return started;
  };
  const contract = registryContract({
    create: async () => {
      const { url } = await (serving ??= start());
      return { registry: createClient({ host: new URL(url).host, fetch, ...client }) };
    },
    traits: { remote: true, lacks: ['maintenance', 'uploadRead'] },
  });
  describeDeviating(`the client of a registry ${name}`, contract, { deviations });
}
