import { join } from 'node:path';

import { isRepository } from '../../model/index.ts';
import { SortedNames } from '../repository/index.ts';

import { entriesOf } from './files.ts';
import { directoryOf, repositoryOf } from './names.ts';

/** The repositories that have a layout of their own below a root, and what may be left of some. */
export async function findRepositories(root: string): Promise<SortedNames> {
  const names = new SortedNames();
  const walk = async (directory: string): Promise<void> => {
    const entries = await entriesOf(join(root, directory));
    const repository = repositoryOf(directory);
    const isOne = isRepository(repository) && directoryOf(repository) === directory;
    if (isOne && entries.some(({ name }) => name === 'index.json' || name === 'blobs')) names.add(repository);
    for (const entry of entries) {
      if (!entry.isDirectory() || entry.name === 'blobs' || entry.name.startsWith('.')) continue;
      await walk(directory === '' ? entry.name : `${directory}/${entry.name}`);
    }
  };
  await walk('');
  return names;
}
