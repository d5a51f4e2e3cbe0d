// All kinds of work.
import type { Work } from '../bench.ts';
import { collecting } from './collecting.ts';
import { largeCommands, smallCommands } from './commands.ts';
import { copying } from './copying.ts';
import { crowd } from './crowd.ts';
import { downloads } from './downloads.ts';
import { floor } from './floor.ts';
import { growth } from './growth.ts';
import { large } from './large.ts';
import { lists } from './lists.ts';
import { pushes } from './pushes.ts';
import { reads } from './reads.ts';
import { secure } from './secure.ts';
import { startAfterKill, startUp } from './start-up.ts';

/** All work, in the order of the rows. */
export const works: readonly Work[] = [
  reads,
  lists,
  pushes,
  large,
  smallCommands,
  crowd,
  collecting,
  secure,
  growth,
  startUp,
  startAfterKill,
  downloads,
  copying,
  largeCommands,
  floor,
];
