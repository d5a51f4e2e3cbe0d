import { describe, expect, test } from 'vitest';

import { FileTree } from '../index.ts';

const bytes = new Uint8Array(3);
const paths = (tree: FileTree): string[] =>
  [...tree.walk()].map(({ path, type }) => (type === 'file' ? path : `${path}/`));

test('a file is placed with the directories above it', () => {
  const tree = new FileTree();
  tree.placeFile('a/b/c', bytes);
  expect([...tree.walk()]).toEqual([
    { type: 'directory', path: 'a', mode: 0o755 },
    { type: 'directory', path: 'a/b', mode: 0o755 },
    { type: 'file', path: 'a/b/c', mode: 0o644, size: 3, content: bytes },
  ]);
  expect(tree.get('a/b/c')).toMatchObject({ type: 'file', path: 'a/b/c', content: bytes });
  expect(tree.get('a')).toMatchObject({ type: 'directory', path: 'a' });
  expect(tree.get('a/b/d')).toBeUndefined();
  expect(tree.get('a/b/c/d')).toBeUndefined();
});

test('a file has a mode, a time, data for its system, and a given size if its content has none', () => {
  const tree = new FileTree();
  const modified = new Date(0);
  tree.placeFile('run', () => bytes, { mode: 0o755, modified, size: 3, system: { xattrs: {} } });
  tree.placeDirectory('empty', undefined, { mode: 0o700, modified });
  expect(tree.get('run')).toMatchObject({ mode: 0o755, modified, size: 3, system: { xattrs: {} } });
  expect(tree.get('empty')).toEqual({ type: 'directory', path: 'empty', mode: 0o700, modified });
  tree.placeFile('blob', new Blob(['abcd']));
  expect(tree.get('blob')).toMatchObject({ size: 4 });
  expect(() => tree.placeFile('unknown', () => bytes)).toThrow(/the size of "unknown" is not known/);
});

test('a walk gives each directory before its entries, in the order in which they were placed', () => {
  const tree = new FileTree();
  for (const path of ['b/2', 'a', 'b/1/x', 'c/1', 'b/3']) tree.placeFile(path, bytes);
  expect(paths(tree)).toEqual(['b/', 'b/2', 'b/1/', 'b/1/x', 'b/3', 'a', 'c/', 'c/1']);
  expect(paths(new FileTree())).toEqual([]);
});

test('a tree is placed in another one as a copy', () => {
  const inner = new FileTree();
  inner.placeFile('x/y', bytes);
  const outer = new FileTree();
  outer.placeDirectory('first/inner', inner);
  outer.placeDirectory('second', inner);
  inner.placeFile('x/later', bytes);
  outer.placeFile('second/x/z', bytes);
  expect(paths(outer)).toEqual([
    'first/',
    'first/inner/',
    'first/inner/x/',
    'first/inner/x/y',
    'second/',
    'second/x/',
    'second/x/y',
    'second/x/z',
  ]);
});

describe('refused is', () => {
  const tree = new FileTree();
  tree.placeFile('a/b', bytes);

  test.each(['a/b', 'a'])('the path %s, which is taken', (path) => {
    expect(() => tree.placeFile(path, bytes)).toThrow(/is there already/);
    expect(() => tree.placeDirectory(path)).toThrow(/is there already/);
  });

  test('a path through a file', () => {
    expect(() => tree.placeFile('a/b/c', bytes)).toThrow(/leads through a file/);
    expect(() => tree.placeDirectory('a/b/c/d')).toThrow(/leads through a file/);
  });

  test.each(['', '/', '/a', 'a/', 'a//b', '.', '..', 'a/../b', './a', 'a\\b', '..\\a', 'a\0', 'a\uD800'])(
    'the path %j',
    (path) => {
      expect(() => tree.placeFile(path, bytes)).toThrow(/is not a file's path/);
      expect(() => tree.get(path)).toThrow(TypeError);
    },
  );

  test('no valid name', () => {
    const names = ['...', '.hidden', 'ä', 'a b', '😀', '__proto__', 'constructor'];
    for (const name of names) tree.placeFile(name, bytes);
    for (const name of names) expect(tree.get(name)).toMatchObject({ path: name });
  });

  test('a path, before any part of it is placed', () => {
    const other = new FileTree();
    expect(() => other.placeFile('a/../b', bytes)).toThrow(TypeError);
    expect(paths(other)).toEqual([]);
  });
});
