// The arguments and help of `ocikit htpasswd`.
import { Command } from 'commander';

import type { HtpasswdFlags } from './run.ts';

export function htpasswdCommand(): Command {
  return new Command('htpasswd')
    .description('Set the password of a user in a file of users, for ocikit serve --htpasswd.')
    .argument('<file>', 'the file; it is made if it does not exist')
    .argument('<user>', 'the name of the user')
    .option('--password-stdin', 'read the password from stdin (default: ask for it)')
    .option('--delete', 'remove the user')
    .addHelpText('after', '\nA server that uses the file takes the change within a second.')
    .action(async (file: string, user: string, flags: HtpasswdFlags, command: Command) => {
      if (flags.delete === true && flags.passwordStdin === true) {
        command.error('error: --delete needs no password: leave out --password-stdin');
      }
      await (await import('./run.ts')).runHtpasswd(file, user, flags);
    });
}
