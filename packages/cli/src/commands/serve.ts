import { Command, InvalidArgumentError } from 'commander';
import { createMemoryRegistry } from 'ocikit/memory';
import { serve } from 'ocikit/node';
import { readOnly } from 'ocikit/views';

import { lineLogger } from '../log.ts';

interface ServeFlags {
  host: string;
  port: number;
  memory?: true;
  readOnly?: true;
  sparse?: true;
  quiet?: true;
}

export function serveCommand(): Command {
  return new Command('serve')
    .description('Serve a registry until SIGINT or SIGTERM comes.')
    .option('--host <address>', 'listen on this address; 0.0.0.0 is all of this machine’s', '127.0.0.1')
    .option('--port <number>', 'listen on this port; 0 is any free one', parsePort, 5000)
    .option('--memory', 'keep everything in memory: it is gone when the server stops (the only store yet)')
    .option('--read-only', 'refuse pushes and deletes')
    .option('--sparse', 'accept manifests that name content which is not there')
    .option('--quiet', 'no line for each request')
    .addHelpText(
      'after',
      '\nThe line "ocikit listening on http://HOST:PORT" on stdout says that it accepts connections.',
    )
    .action(runServe);
}

async function runServe(flags: ServeFlags): Promise<void> {
  const logger = lineLogger((line) => process.stderr.write(line));
  const memory = createMemoryRegistry({ sparse: flags.sparse === true });
  const registry = flags.readOnly === true ? readOnly(memory) : memory;
  const stop = signalled();
  const serving = await serve(registry, {
    host: flags.host,
    port: flags.port,
    logger: flags.quiet === true ? { ...logger, info: () => undefined } : logger,
  });
  process.stderr.write('ocikit keeps everything in memory: what is pushed is gone when it stops\n');
  process.stdout.write(`ocikit listening on ${serving.url}\n`);

  const signal = await stop;
  process.stderr.write(`ocikit got ${signal}: finishing what runs\n`);
  await serving.close();
}

function signalled(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        resolve(signal);
        // Asked for twice, it means at once.
        process.once(signal, () => process.exit(1));
      });
    }
  });
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^[0-9]+$/.test(text) || port > 65_535) throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return port;
}
