// The entry of the command `ocikit`: finds the named command, runs it, and sets the exit code.
import { readFileSync } from 'node:fs';

import { Command, CommanderError } from 'commander';

import { describeError } from './output/errors.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Each command is a module of its own, loaded only when it is needed. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./commands/serve/command.ts')).serveCommand(),
  gc: async () => (await import('./commands/gc/command.ts')).gcCommand(),
  check: async () => (await import('./commands/check/command.ts')).checkCommand(),
  retain: async () => (await import('./commands/retain/command.ts')).retainCommand(),
  history: async () => (await import('./commands/history/command.ts')).historyCommand(),
  htpasswd: async () => (await import('./commands/htpasswd/command.ts')).htpasswdCommand(),
  token: async () => (await import('./commands/token/command.ts')).tokenCommand(),
  undo: async () => (await import('./commands/undo/command.ts')).undoCommand(),
};

/** The commands to load: the named one, or all of them if the first argument names none. */
function commandsFor([first = '']: readonly string[]): Promise<Command[]> {
  if (first === '--version' || first === '-V') return Promise.resolve([]);
  const named = Object.entries(commands).filter(([name]) => name === first);
  const wanted = named.length === 0 ? Object.entries(commands) : named;
  return Promise.all(wanted.map(([, load]) => load()));
}

const program = new Command('ocikit')
  .description('The OCI registry toolkit.')
  .version(version)
  .exitOverride()
  .showHelpAfterError('(ocikit --help lists commands and options)');

for (const command of await commandsFor(process.argv.slice(2))) {
  for (const part of [command, ...command.commands]) part.exitOverride();
  program.addCommand(command);
}

// A closed pipe, as in `ocikit serve | head`, is no reason to stop.
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
