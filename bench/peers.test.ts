import { expect, test } from 'vitest';

import { versionIn } from './peers.ts';

test.each([
  ['wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012 Will Glozer\nUsage: wrk <options> <url>', '4.1.0-3+b2'],
  ['/opt/v1.2/registry github.com/distribution/distribution/v3 v3.1.2+unknown\n', 'v3.1.2+unknown'],
  ['v0.22.1\n', 'v0.22.1'],
  ['', 'unknown version'],
])('the version in %j is %s', (output, version) => {
  expect(versionIn(output)).toBe(version);
});
