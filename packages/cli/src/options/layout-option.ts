import { Option } from 'commander';

export type LayoutKind = 'per-repository' | 'shared';

/** `--layout` of commands that are given a directory. */
export function layoutOption(): Option {
  return new Option(
    '--layout <kind>',
    'one layout for each repository, or one for all of them; found out if it is left out',
  ).choices(['per-repository', 'shared']);
}
