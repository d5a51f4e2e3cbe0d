import { Command, InvalidArgumentError, Option } from 'commander';

import { graceOption, parseDuration } from '../../options/durations.ts';

import { proxyOptions, strayFlag } from './proxy-options.ts';
import type { ProxyFlags } from './proxy-options.ts';

export interface ServeFlags extends ProxyFlags {
  host: string;
  port: number;
  root: string;
  layout?: 'per-repository' | 'shared';
  durability: 'fsync' | 'none';
  memory?: true;
  readOnly?: true;
  sparse?: true;
  gc?: number;
  gcGrace: number;
  gcKeepUntagged?: true;
  gcKeepHistory: number;
  quiet?: true;
}

export function serveCommand(): Command {
  const command = new Command('serve')
    .description('Serve a registry until SIGINT or SIGTERM comes.')
    .option('--host <address>', 'listen on this address; 0.0.0.0 is all of this machine’s', '127.0.0.1')
    .option('--port <number>', 'listen on this port; 0 is any free one', parsePort, 5000)
    .option('--root <dir>', 'keep everything in this directory, as OCI image layouts', './registry-data')
    .addOption(
      new Option(
        '--layout <kind>',
        'one layout for each repository, or one for all of them (default: per-repository; with --proxy: shared)',
      ).choices(['per-repository', 'shared']),
    )
    .addOption(
      new Option(
        '--durability <kind>',
        'fsync: what is acknowledged survives the loss of power; none: that of the process',
      )
        .choices(['fsync', 'none'])
        .default('fsync'),
    )
    .option('--memory', 'keep everything in memory instead: it is gone when the server stops')
    .option('--read-only', 'refuse pushes and deletes')
    .option('--sparse', 'accept manifests that name content which is not there')
    .option('--gc <interval>', 'remove what no tag reaches, so often: 1h, 7d', parseInterval)
    .addOption(graceOption('--gc-grace <duration>', 'leave what was pushed or used so lately'))
    .option('--gc-keep-untagged', 'leave manifests without a tag, for those who pull by digest')
    .option('--gc-keep-history <duration>', 'leave what tags were at so lately, for ocikit undo', parseDuration, 0)
    .option('--quiet', 'no line for each request')
    .addHelpText(
      'after',
      '\nThe line "ocikit listening on http://HOST:PORT" on stdout says that it accepts connections.',
    )
    .action(async (flags: ServeFlags, given: Command) => {
      assertUsage(flags, given);
      await (await import('./run.ts')).runServe(flags);
    });
  for (const option of proxyOptions()) command.addOption(option);
  return command;
}

/** What no single option can say. */
function assertUsage(flags: ServeFlags, command: Command): void {
  const stray = strayFlag(flags);
  if (stray !== undefined) command.error(`error: ${stray} means nothing without --proxy`);
  if (flags.proxy !== undefined && flags.gc !== undefined) {
    command.error('error: --gc does not go with --proxy: a cache makes room by itself, see --cache-size');
  }
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^[0-9]+$/.test(text) || port > 65_535) throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return port;
}

function parseInterval(text: string): number {
  const milliseconds = parseDuration(text);
  // Beyond that, a timer fires at once.
  if (milliseconds >= 1 && milliseconds < 2 ** 31) return milliseconds;
  throw new InvalidArgumentError('An interval is more than nothing and less than 25 days.');
}
