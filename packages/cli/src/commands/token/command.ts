// The arguments and help of `ocikit token`.
import { Command, InvalidArgumentError } from 'commander';

import { parseDuration } from '../../options/durations.ts';

import type { CreateFlags, ListFlags } from './run.ts';

export function tokenCommand(): Command {
  const command = new Command('token').description(
    'Make, list and revoke tokens for machines, for ocikit serve --robots.',
  );
  command
    .command('create')
    .description('Make a token, which is the password of its user, and print it. It cannot be printed again.')
    .argument('<file>', 'the file of tokens; it is made if it does not exist')
    .argument('<user>', 'the user whose rights the token has')
    .option(
      '--scope <scope>',
      'the most that it may do, such as repository:team/app:pull or "repository:team/**:push"; can be repeated (default: all that its user may do)',
      (scope: string, before: string[] | undefined) => [...(before ?? []), scope],
    )
    .option('--expires <duration>', 'let it end after this time: 12h, 90d (default: never)', parseExpiry)
    .option('--note <text>', 'a text for people')
    .option('--json', 'print a JSON object')
    .action(async (file: string, user: string, flags: CreateFlags) =>
      (await import('./run.ts')).createToken(file, user, flags),
    );
  command
    .command('list')
    .description('List the tokens of a file. Those that end within 14 days are marked.')
    .argument('<file>', 'the file of tokens')
    .option('--json', 'print a JSON object for each')
    .action(async (file: string, flags: ListFlags) => (await import('./run.ts')).listTokens(file, flags));
  command
    .command('revoke')
    .description('Revoke a token. A server that uses the file refuses it within a second.')
    .argument('<file>', 'the file of tokens')
    .argument('<id>', 'the id of the token, as ocikit token list shows it')
    .action(async (file: string, id: string) => (await import('./run.ts')).revokeToken(file, id));
  return command;
}

function parseExpiry(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds > 0) return milliseconds;
  throw new InvalidArgumentError('A token holds for longer than 0.');
}
