// Cases for malformed names, digests and tags in every method.
import type { Digest } from '../../model/index.ts';
import { assertBlob, assertManifest, equal, group, imageForMethods, methods, rejects } from '../cases/index.ts';
import type { DefineGroup } from '../cases/index.ts';
import { pushContent, pushImage, randomBlob } from '../content/index.ts';

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

/** The cases for names, digests and tags at and beyond the limits of the specification. */
export const malformedArguments: DefineGroup = group('checking arguments', [], (test) => {
  for (const method of methods) {
    if (method.takes.includes('repository')) {
      test(`makes ${method.name} refuse a malformed repository`, method.needs, async ({ registry }) => {
        const { digest } = randomBlob().descriptor;
        for (const name of malformedNames) {
          await rejects(method.call(registry, { repository: name, digest, tag: 'v1' }), 'NAME_INVALID', shown(name));
        }
      });
    }
    if (method.takes.includes('digest')) {
      test(`makes ${method.name} refuse a malformed digest`, method.needs, async ({ registry, origin, repository }) => {
        const [known, unknown] = [repository(), repository()];
        await pushImage(origin, known);
        for (const name of [known, unknown]) {
          for (const text of malformedDigests) {
            // The type knows only the shape of a digest, and callers without types can pass any text.
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
      test(`makes ${method.name} refuse a malformed tag`, method.needs, async ({ registry, origin, repository }) => {
        const [known, unknown] = [repository(), repository()];
        await pushContent(origin, known, imageForMethods);
        const { digest } = imageForMethods.descriptor;
        for (const name of [known, unknown]) {
          for (const tag of malformedTags) {
            await rejects(method.call(registry, { repository: name, digest, tag }), 'MANIFEST_INVALID', shown(tag));
          }
        }
      });
    }
  }

  test('accepts a repository with the longest name', async ({ registry, origin, traits, repository }) => {
    const { longestName = 255 } = traits;
    const start = repository();
    const name = `${start}/${'x'.repeat(99)}/${'y'.repeat(longestName - 156)}/`.padEnd(longestName, 'z');
    equal(name.length, longestName, 'the length of the name');
    const pushed = await pushImage(origin, name, { tags: ['v1'] });
    await assertManifest(registry, name, pushed, 'v1');
  });

  test('accepts every repository name that the specification allows', async ({ registry, origin, repository }) => {
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
