import type { Work } from '../bench.ts';
import { large } from './large.ts';
import { pushes } from './pushes.ts';
import { reads } from './reads.ts';

/** In the order of the table's rows. */
export const works: readonly Work[] = [reads, pushes, large];
