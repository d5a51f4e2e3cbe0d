import { expect, test } from 'vitest';

import { describeError } from './errors.ts';

const failure = (code: string, more: object): Error =>
  Object.assign(new Error(`${code}: permission denied`), { code, ...more });

test.each(['EACCES', 'EPERM', 'EROFS'])('%s of a directory is told as one of the directory, not of a port', (code) => {
  const text = describeError(failure(code, { syscall: 'mkdir', path: '/srv/images' }));
  expect(text).toContain('This user may not use /srv/images.');
  expect(text).not.toContain('--port');
});

test('EACCES of a port is told as one of the port', () => {
  expect(describeError(failure('EACCES', { syscall: 'listen', port: 80 }))).toContain(
    'Choose another port with --port.',
  );
});
