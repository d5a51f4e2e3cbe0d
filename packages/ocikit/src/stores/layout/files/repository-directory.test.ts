import * as fc from 'fast-check';
import { describe, test } from 'vitest';

import { directoryOf, repositoryOf } from './repository-directory.ts';

const component = fc.oneof(
  fc.constantFrom('blobs', 'index.json', 'oci-layout', 'a', 'a-b', 'a_b'),
  fc.stringMatching(/^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$/),
);
const repository = fc.array(component, { minLength: 1, maxLength: 4 }).map((components) => components.join('/'));

describe('the directory of a repository', () => {
  test('leads back to the repository', () => {
    fc.assert(fc.property(repository, (name) => repositoryOf(directoryOf(name)) === name));
  });

  test('is never among the files of a layout, and never in the private directory', () => {
    fc.assert(
      fc.property(repository, (name) => {
        const clashing = new Set(['blobs', 'index.json', 'oci-layout', '.ocikit']);
        return directoryOf(name)
          .split('/')
          .every((one) => !clashing.has(one));
      }),
    );
  });

  test('is another for another repository', () => {
    fc.assert(fc.property(repository, repository, (a, b) => a === b || directoryOf(a) !== directoryOf(b)));
  });
});
