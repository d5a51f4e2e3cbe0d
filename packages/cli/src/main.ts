import { readFileSync } from 'node:fs';

import { Command, CommanderError } from 'commander';

import { checkCommand } from './commands/check.ts';
import { gcCommand } from './commands/gc.ts';
import { historyCommand } from './commands/history.ts';
import { retainCommand } from './commands/retain.ts';
import { serveCommand } from './commands/serve.ts';
import { undoCommand } from './commands/undo.ts';
import { describeError } from './errors.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('ocikit')
  .description('The OCI registry toolkit.')
  .version(version)
  .addCommand(serveCommand())
  .addCommand(gcCommand())
  .addCommand(checkCommand())
  .addCommand(retainCommand())
  .addCommand(historyCommand())
  .addCommand(undoCommand())
  .showHelpAfterError('(add --help for what there is)');

for (const command of [program, ...program.commands]) command.exitOverride();

// Who read the log or the results may be gone: that is no reason to stop.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

/** 0: done, 1: failed, 2: wrong usage. */
try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    process.stderr.write(`ocikit: ${describeError(error)}\n`);
    process.exitCode = 1;
  }
}
