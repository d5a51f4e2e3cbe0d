import { collect, mediaTypes } from '../../model/index.ts';
import type { CallOptions, Digest, Registry } from '../../model/index.ts';
import { imageOf, pushContent, pushImage, randomBlob } from '../content.ts';

import { assertBlob, group } from './case.ts';
import type { DefineGroup, Need } from './case.ts';
import { equal, rejects } from './check.ts';
import { assertManifest } from './manifests.ts';

/** What a method is called with where it takes one. */
export interface Arguments extends CallOptions {
  repository: string;
  digest: Digest;
  tag: string;
}

export interface Method {
  readonly name: string;
  readonly takes: readonly ('repository' | 'digest' | 'tag')[];
  readonly needs: readonly Need[];
  readonly call: (registry: Registry, args: Arguments) => Promise<unknown>;
}

const image = imageOf({ layers: [] });
const bytes = new Uint8Array([1, 2, 3]);
const at = ['repository', 'digest'] as const;

/** Every method of a registry, as it is called with arguments that are as good as these. */
export const methods: readonly Method[] = [
  {
    name: 'getBlob',
    takes: at,
    needs: [],
    call: async (registry, { repository, digest, signal }) =>
      (await registry.getBlob(repository, digest, { signal })).bytes(),
  },
  {
    name: 'getBlob with a range',
    takes: at,
    needs: [],
    call: async (registry, { repository, digest, signal }) =>
      (await registry.getBlob(repository, digest, { range: { start: 0, end: 1 }, signal })).bytes(),
  },
  {
    name: 'resolveBlob',
    takes: at,
    needs: [],
    call: (registry, { repository, digest, signal }) => registry.resolveBlob(repository, digest, { signal }),
  },
  {
    name: 'getManifest',
    takes: at,
    needs: [],
    call: (registry, { repository, digest, signal }) => registry.getManifest(repository, digest, { signal }),
  },
  {
    name: 'resolveManifest',
    takes: at,
    needs: [],
    call: (registry, { repository, digest, signal }) => registry.resolveManifest(repository, digest, { signal }),
  },
  {
    name: 'getTag',
    takes: ['repository', 'tag'],
    needs: [],
    call: (registry, { repository, tag, signal }) => registry.getTag(repository, tag, { signal }),
  },
  {
    name: 'resolveTag',
    takes: ['repository', 'tag'],
    needs: [],
    call: (registry, { repository, tag, signal }) => registry.resolveTag(repository, tag, { signal }),
  },
  {
    name: 'pushBlob',
    takes: at,
    needs: ['writing'],
    call: (registry, { repository, digest, signal }) => registry.pushBlob(repository, { digest }, bytes, { signal }),
  },
  {
    name: 'startUpload',
    takes: ['repository'],
    needs: ['writing'],
    call: (registry, { repository, signal }) => registry.startUpload(repository, { signal }),
  },
  {
    name: 'resumeUpload',
    takes: ['repository'],
    needs: ['writing'],
    call: (registry, { repository, signal }) => registry.resumeUpload(repository, 'unknown', { signal }),
  },
  {
    name: 'mountBlob',
    takes: at,
    needs: ['writing'],
    call: (registry, { repository, digest, signal }) => registry.mountBlob(undefined, repository, digest, { signal }),
  },
  {
    name: 'pushManifest',
    takes: ['repository', 'tag'],
    needs: ['writing'],
    call: (registry, { repository, tag, signal }) =>
      registry.pushManifest(repository, image.bytes, mediaTypes.imageManifest, { tags: [tag], signal }),
  },
  {
    name: 'pushManifest with a digest',
    takes: at,
    needs: ['writing'],
    call: (registry, { repository, digest, signal }) =>
      registry.pushManifest(repository, image.bytes, mediaTypes.imageManifest, { digest, signal }),
  },
  {
    name: 'deleteBlob',
    takes: at,
    needs: ['writing'],
    call: (registry, { repository, digest, signal }) => registry.deleteBlob(repository, digest, { signal }),
  },
  {
    name: 'deleteManifest',
    takes: at,
    needs: ['writing'],
    call: (registry, { repository, digest, signal }) => registry.deleteManifest(repository, digest, { signal }),
  },
  {
    name: 'deleteTag',
    takes: ['repository', 'tag'],
    needs: ['writing'],
    call: (registry, { repository, tag, signal }) => registry.deleteTag(repository, tag, { signal }),
  },
  {
    name: 'repositories',
    takes: [],
    needs: [],
    call: (registry, { signal }) => collect(registry.repositories({ limit: 2, signal })),
  },
  {
    name: 'tags',
    takes: ['repository'],
    needs: [],
    call: (registry, { repository, signal }) => collect(registry.tags(repository, { signal })),
  },
  {
    name: 'referrers',
    takes: at,
    needs: [],
    call: (registry, { repository, digest, signal }) => collect(registry.referrers(repository, digest, { signal })),
  },
];

const malformedNames: readonly string[] = [
  '',
  '/',
  'UPPER',
  'camelCase',
  'a//b',
  '/a',
  'a/',
  '../a',
  'a/../b',
  'a/./b',
  '..',
  '.a',
  '-a',
  '_a',
  'a-',
  'a..b',
  'a._b',
  'a___b',
  'a b',
  'a:b',
  'a@b',
  'a?b',
  'a#b',
  'a%2fb',
  'a\\b',
  'a\n',
  'a\0',
  'ü',
  'a/_catalog',
  'x'.repeat(256),
  `${'x/'.repeat(127)}xx`,
];

const malformedDigests: readonly string[] = [
  '',
  ':',
  'sha256',
  'sha256:',
  ':abcdef',
  'sha256:baddigeststring',
  `sha256:${'a'.repeat(63)}`,
  `sha256:${'a'.repeat(65)}`,
  `sha256:${'A'.repeat(64)}`,
  `sha256:${'g'.repeat(64)}`,
  `SHA256:${'a'.repeat(64)}`,
  `sha256:${'a'.repeat(64)}\n`,
  `sha512:${'a'.repeat(64)}`,
  `sha256-${'a'.repeat(64)}`,
  `md5:${'a'.repeat(32)}`,
  `unknown:${'a'.repeat(64)}`,
  `sha256:../${'a'.repeat(61)}`,
  `../sha256:${'a'.repeat(64)}`,
];

const malformedTags: readonly string[] = [
  '',
  '.',
  '..',
  '.a',
  '-a',
  'a b',
  'a/b',
  '../a',
  'a:b',
  'a@b',
  'a+b',
  'a?b',
  'a#b',
  'a%20b',
  'a\n',
  'a\0',
  'ü',
  'x'.repeat(129),
];

export const malformedArguments: DefineGroup = group('malformed arguments', [], (it) => {
  for (const method of methods) {
    if (method.takes.includes('repository')) {
      it(`${method.name} refuses a malformed repository`, method.needs, async ({ registry }) => {
        const { digest } = randomBlob().descriptor;
        for (const name of malformedNames) {
          await rejects(method.call(registry, { repository: name, digest, tag: 'v1' }), 'NAME_INVALID', shown(name));
        }
      });
    }
    if (method.takes.includes('digest')) {
      it(`${method.name} refuses a malformed digest`, method.needs, async ({ registry, origin, repository }) => {
        const [known, unknown] = [repository(), repository()];
        await pushImage(origin, known);
        for (const name of [known, unknown]) {
          for (const text of malformedDigests) {
            // The type says the shape only, and callers may have none.
            const digest = text as Digest;
            await rejects(
              method.call(registry, { repository: name, digest, tag: 'v1' }),
              'DIGEST_INVALID',
              shown(text),
            );
          }
        }
      });
    }
    if (method.takes.includes('tag')) {
      it(`${method.name} refuses a malformed tag`, method.needs, async ({ registry, origin, repository }) => {
        const [known, unknown] = [repository(), repository()];
        await pushContent(origin, known, image);
        const { digest } = image.descriptor;
        for (const name of [known, unknown]) {
          for (const tag of malformedTags) {
            await rejects(method.call(registry, { repository: name, digest, tag }), 'MANIFEST_INVALID', shown(tag));
          }
        }
      });
    }
  }

  it('takes a repository of the longest name', async ({ registry, origin, traits, repository }) => {
    const { longestName = 255 } = traits;
    const start = repository();
    const name = `${start}/${'x'.repeat(99)}/${'y'.repeat(longestName - 156)}/`.padEnd(longestName, 'z');
    equal(name.length, longestName, 'the length of the name');
    const pushed = await pushImage(origin, name, { tags: ['v1'] });
    await assertManifest(registry, name, pushed, 'v1');
  });

  it('takes every repository name that the specification allows', async ({ registry, origin, repository }) => {
    for (const suffix of [
      '0',
      'a.b',
      'a_b',
      'a__b',
      'a-b',
      'a---b',
      '0.0',
      'a/b/c/d/e/f/g/h',
      'sha256',
      'con',
      'nul.txt',
    ]) {
      const name = repository(suffix);
      const { descriptor, bytes: content } = randomBlob(10);
      await origin.pushBlob(name, descriptor, content);
      await assertBlob(registry, name, descriptor, content);
    }
  });
});

function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}… (${text.length} characters)` : text);
}
