// All kinds of work.
import type { Work } from '../bench.ts';
import { copying } from './copying.ts';
import { floor } from './floor.ts';
import { growth } from './growth.ts';
import { large } from './large.ts';
import { lists } from './lists.ts';
import { pushes } from './pushes.ts';
import { reads } from './reads.ts';
import { startUp } from './start-up.ts';

/** All work, in the order of the rows. */
export const works: readonly Work[] = [reads, lists, pushes, large, growth, startUp, copying, floor];
