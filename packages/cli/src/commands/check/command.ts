// The arguments and help of `ocikit check`.
import { Command, InvalidArgumentError } from 'commander';
import { isHost, isRepository } from 'ocikit';
import type { FindingKind } from 'ocikit/upkeep';

import { graceOption } from '../../options/durations.ts';
import { layoutOption } from '../../options/layout-option.ts';

import type { CheckFlags, Peer } from './run.ts';

const kinds: readonly FindingKind[] = ['missing', 'corrupt', 'unreachable', 'orphaned', 'unreadable'];

export function checkCommand(): Command {
  return new Command('check')
    .description('Verify all content in a directory, also while it is served.')
    .argument('<dir>', 'the directory of the registry')
    .option(
      '--only <kinds>',
      `report only these kinds, separated by commas, and what is unreadable: ${kinds.join(', ')}`,
      parseKinds,
    )
    .addOption(
      graceOption('--grace <duration>', 'report no unreachable content that was pushed or used within this time'),
    )
    .option('--sparse', 'accept indexes that name missing manifests')
    .option('--repair-from <registry>', 'fetch missing or corrupt content from HOST[:PORT][/PREFIX]', parsePeer)
    .option('--quarantine', 'move corrupt files to .ocikit/quarantine; they are missing afterwards')
    .option('--json', 'print one JSON object per line; the last one is the report')
    .addOption(layoutOption())
    .addHelpText(
      'after',
      '\nExit code 0: nothing is wrong, or everything was repaired. Exit code 1: something is still wrong.' +
        '\nChecking needs no lock. --repair-from and --quarantine need a directory that no server uses.',
    )
    .action(async (dir: string, flags: CheckFlags) => (await import('./run.ts')).runCheck(dir, flags));
}

function parseKinds(text: string): FindingKind[] {
  return text.split(',').map((word) => {
    const kind = kinds.find((known) => known === word);
    if (kind !== undefined) return kind;
    throw new InvalidArgumentError(`The kinds are ${kinds.join(', ')}.`);
  });
}

function parsePeer(text: string): Peer {
  const [host = '', ...rest] = text.split('/');
  const path = rest.filter((part) => part !== '').join('/');
  if (isHost(host) && (path === '' || isRepository(path))) return { host, prefix: path === '' ? '' : `${path}/` };
  throw new InvalidArgumentError(
    'A registry is HOST[:PORT][/PREFIX], such as mirror.example.com or localhost:5000/team.',
  );
}
