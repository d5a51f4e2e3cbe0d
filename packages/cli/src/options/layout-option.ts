// The option `--layout` of commands that work on a directory.
import { Option } from 'commander';

/** One image layout for each repository, or one for all. */
export type LayoutKind = 'per-repository' | 'shared';

/** The option `--layout`. */
export function layoutOption(): Option {
  return new Option('--layout <kind>', 'one layout for each repository, or one for all (default: detected)').choices([
    'per-repository',
    'shared',
  ]);
}
