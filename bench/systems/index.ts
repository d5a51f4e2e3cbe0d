// All systems.
import { bareSystem } from './bare.ts';
import { copyingSystems } from './copying.ts';
import { craneSystems } from './crane.ts';
import { distributionSystems } from './distribution.ts';
import { ocikitSystems } from './ocikit.ts';
import { optionalSystems } from './optional.ts';
import type { System } from './system.ts';

/** All systems, in the order of the columns and of each round. */
export const systems: readonly System[] = [
  ...ocikitSystems,
  ...distributionSystems,
  ...craneSystems,
  ...optionalSystems,
  ...copyingSystems,
  bareSystem,
];
