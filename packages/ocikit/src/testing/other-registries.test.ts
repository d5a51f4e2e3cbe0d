import { afterAll, describe, it } from 'vitest';

import { createClient } from '../http/client/index.ts';
import type { ClientOptions } from '../http/client/index.ts';
import type { ServerOptions } from '../http/server/index.ts';
import { nodeFetch, serve } from '../node/index.ts';
import type { Serving } from '../node/index.ts';
import { createMemoryRegistry } from '../stores/memory/index.ts';
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
} from '../../test/quirks.ts';

import { describeRegistry } from './index.ts';

interface OtherRegistry extends ServerOptions {
  /** Cases about what such a registry cannot do, whoever asks. */
  cannot?: RegExp;
  client?: Partial<ClientOptions>;
}

const fetch = nodeFetch();
const servings: Promise<Serving>[] = [];
afterAll(async () => {
  fetch.close();
  await Promise.all(servings.map(async (serving) => (await serving).close(0)));
});

/** Several peculiarities at a time, as real registries have them; each is the whole contract through the client. */
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
    // Set by tag, a manifest has the digest that the registry likes; tags set one by one are not set all or none; lists of referrers
    // are tags; and who changes an upload's state is told that it is wrong, not that there is no upload.
    cannot:
      /sets several tags only if|tag-param-sha512|tags? .*sha512|sha512.* tags?|-subject\/tag-list|an id that was changed/,
  },
  'behind a proxy: no HEAD, no ranges, small bodies only, lists in one piece': {
    middleware: [withoutHead, ignoringRanges, acceptingAtMost(1024 * 1024), ignoringParameters('n', 'last')],
    // What stands in front refuses a manifest of this size, and what can be read only once cannot be sent in smaller parts.
    cannot: /about four million bytes|large-manifest|several MiB that comes in uneven pieces/,
  },
  'that says little: no digests, no lengths, no Link': {
    middleware: [withoutDigests, bareHead, withAbsoluteLocations, deletingWith(200)],
    omitLinkHeaderFromResponses: true,
    client: { pageSize: 7 },
    // A tag's digest can only be computed then, and nothing says by which algorithm.
    cannot: /tag-param-sha512|tags? .*sha512|sha512.* tags?/,
  },
};

for (const [name, { cannot, client, ...options }] of Object.entries(registries)) {
  let serving: Promise<Serving> | undefined;
  const start = (): Promise<Serving> => {
    const started = serve(createMemoryRegistry(), { ...options, port: 0 });
    servings.push(started);
    return started;
  };
  const runner = {
    describe,
    it: (sentence: string, run: () => Promise<void>) =>
      cannot?.test(sentence) === true ? it.skip(sentence, run) : it(sentence, run),
  };
  describeRegistry(runner, `the client of a registry ${name}`, {
    create: async () => {
      const { url } = await (serving ??= start());
      return { registry: createClient({ host: new URL(url).host, fetch, ...client }) };
    },
    traits: { remote: true, lacks: ['maintenance', 'uploadRead'] },
  });
}
