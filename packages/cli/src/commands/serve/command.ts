// The arguments and help of `ocikit serve`.
import { Command, InvalidArgumentError, Option } from 'commander';

import { graceOption, parseDuration } from '../../options/durations.ts';

import { accessOptions, faultyAccess } from './access-options.ts';
import { proxyOptions, strayFlag } from './proxy-options.ts';
import type { ServeFlags } from './run.ts';

export function serveCommand(): Command {
  const command = new Command('serve')
    .description('Serve a registry until SIGINT or SIGTERM.')
    .option('--host <address>', 'listen on this address; 0.0.0.0 means all addresses of this machine', '127.0.0.1')
    .option(
      '--allow-host <name>',
      'answer to this host name too, for example behind a proxy that keeps the Host of its clients; *.NAME: all below NAME; *: any; can be repeated',
      (name: string, before: string[] | undefined) => [...(before ?? []), parseAllowedHost(name)],
    )
    .option('--port <number>', 'listen on this port; 0 means any free port', parsePort, 5000)
    .option('--root <dir>', 'store all content in this directory, as OCI image layouts', './registry-data')
    .addOption(
      new Option(
        '--layout <kind>',
        'one layout for each repository, or one for all (default: per-repository; with --proxy: shared)',
      ).choices(['per-repository', 'shared']),
    )
    .addOption(
      new Option(
        '--durability <kind>',
        'fsync: acknowledged content survives a power loss; none: it survives a killed process',
      )
        .choices(['fsync', 'none'])
        .default('fsync'),
    )
    .option('--memory', 'store all content in memory; it is lost when the server stops')
    .option('--read-only', 'refuse pushes and deletes')
    .option('--sparse', 'accept manifests that name missing content')
    .option('--strict-media-types', 'refuse manifests with types that RFC 6838 does not allow, such as foo')
    .option('--gc <interval>', 'run garbage collection at this interval: 1h, 7d', parseInterval)
    .addOption(graceOption('--gc-grace <duration>', 'keep content pushed or used within this time'))
    .option('--gc-keep-untagged', 'keep untagged manifests, for clients that pull by digest')
    .option(
      '--gc-keep-history <duration>',
      'keep content that a tag pointed to within this time, for ocikit undo',
      parseDuration,
      0,
    )
    .option(
      '--keep-alive <duration>',
      'let clients reuse a connection that is idle for this long (default: 60s); it closes a quarter later',
      parseKeepAlive,
    )
    .option('--quiet', 'log no requests')
    .addHelpText(
      'after',
      '\nThe server accepts connections once it prints "ocikit listening on http://HOST:PORT" on stdout.',
    )
    .action(async (flags: ServeFlags, given: Command) => {
      assertUsage(flags, given);
      await (await import('./run.ts')).runServe(flags);
    });
  for (const option of [...accessOptions(), ...proxyOptions()]) command.addOption(option);
  return command;
}

/** Refuses options that contradict each other. */
function assertUsage(flags: ServeFlags, command: Command): void {
  const stray = strayFlag(flags);
  if (stray !== undefined) command.error(`error: ${stray} has no effect without --proxy`);
  const faulty = faultyAccess(flags);
  if (faulty !== undefined) command.error(`error: ${faulty}`);
  const isGiven = (name: string): boolean => command.getOptionValueSource(name) === 'cli';
  if (flags.memory === true && isGiven('root')) {
    command.error('error: --memory cannot be combined with --root: content is stored in memory or in a directory');
  }
  const ofCollection = {
    gcGrace: '--gc-grace',
    gcKeepUntagged: '--gc-keep-untagged',
    gcKeepHistory: '--gc-keep-history',
  };
  const unused = Object.entries(ofCollection).find(([name]) => isGiven(name))?.[1];
  if (flags.gc === undefined && unused !== undefined) {
    command.error(`error: ${unused} has no effect without --gc, such as --gc 1h`);
  }
  if (flags.proxy !== undefined && flags.gc !== undefined) {
    command.error('error: --gc cannot be combined with --proxy: a cache evicts content by itself, see --cache-size');
  }
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^[0-9]+$/.test(text) || port > 65_535) throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return port;
}

/** `*`, a name with or without `*.`, or an IPv6 address. The library looks closer, but is not loaded for the help. */
const allowedHost = /^(?:\*|(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?|\[?[0-9a-f]*(?::[0-9a-f.]*){2,}\]?)$/i;

function parseAllowedHost(name: string): string {
  if (allowedHost.test(name)) return name;
  throw new InvalidArgumentError('An allowed host is a name or an address without a port, *.NAME, or *.');
}

function parseKeepAlive(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds >= 1000 && milliseconds <= 7 * 86_400_000) return milliseconds;
  throw new InvalidArgumentError('Connections stay open for 1s to 7d.');
}

function parseInterval(text: string): number {
  const milliseconds = parseDuration(text);
  // A timer of 2^31 ms or more fires at once.
  if (milliseconds >= 1 && milliseconds < 2 ** 31) return milliseconds;
  throw new InvalidArgumentError('An interval is longer than 0 and shorter than 25 days.');
}
