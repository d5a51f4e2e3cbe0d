import { Command, InvalidArgumentError } from 'commander';
import { isHost, isRepository } from 'ocikit';
import type { FindingKind } from 'ocikit/upkeep';

import { graceOption } from '../../options/durations.ts';
import { layoutOption } from '../../options/layout-option.ts';
import type { LayoutKind } from '../../options/layout-option.ts';

const kinds: readonly FindingKind[] = ['missing', 'corrupt', 'unreachable', 'orphaned'];

export interface CheckFlags {
  grace: number;
  only?: FindingKind[];
  sparse?: true;
  quarantine?: true;
  repairFrom?: Peer;
  json?: true;
  layout?: LayoutKind;
}

/** Another registry, and what comes before its repositories' names. */
export interface Peer {
  host: string;
  prefix: string;
}

export function checkCommand(): Command {
  return new Command('check')
    .description('Verify everything in a directory, also while it is served.')
    .argument('<dir>', 'where the registry keeps everything')
    .option('--only <kinds>', `of these, with commas between them: ${kinds.join(', ')}`, parseKinds)
    .addOption(
      graceOption('--grace <duration>', 'what is not reached is no finding if it was pushed or used so lately'),
    )
    .option('--sparse', 'indexes may name manifests that are not there')
    .option('--repair-from <registry>', 'fetch what is missing or corrupt from HOST[:PORT][/PREFIX]', parsePeer)
    .option('--quarantine', 'put corrupt files aside, into .ocikit/quarantine: they are then missing')
    .option('--json', 'a JSON object on each line; the last one is the report')
    .addOption(layoutOption())
    .addHelpText(
      'after',
      '\nThe exit code is 0 if nothing is wrong any more, and 1 if something is left.' +
        '\nTo look needs no lock; --repair-from and --quarantine need a directory that nobody serves.',
    )
    .action(async (dir: string, flags: CheckFlags) => (await import('./run.ts')).runCheck(dir, flags));
}

function parseKinds(text: string): FindingKind[] {
  return text.split(',').map((word) => {
    const kind = kinds.find((known) => known === word);
    if (kind !== undefined) return kind;
    throw new InvalidArgumentError(`There is ${kinds.join(', ')}.`);
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
