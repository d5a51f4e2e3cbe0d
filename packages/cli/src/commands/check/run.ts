// Runs `ocikit check`: verifies a directory, repairs it and reports the findings.
import { maintenanceOf } from 'ocikit';
import type { Registry } from 'ocikit';
import { createClient } from 'ocikit/client';
import type { LayoutRegistry } from 'ocikit/layout';
import { dockerCredentials, nodeFetch } from 'ocikit/node';
import { check, isDamage, repair } from 'ocikit/upkeep';
import type { Finding, FindingKind } from 'ocikit/upkeep';

import type { LayoutKind } from '../../options/layout-option.ts';
import { openRoot } from '../../options/root-directory.ts';
import { untilInterrupted } from '../../output/interruption.ts';
import { formatBytes } from '../../output/log.ts';
import { outputOf } from '../../output/results.ts';
import type { Output } from '../../output/results.ts';

/** The options of `ocikit check`. */
export interface CheckFlags {
  grace: number;
  only?: FindingKind[];
  sparse?: true;
  quarantine?: true;
  repairFrom?: Peer;
  json?: true;
  layout?: LayoutKind;
}

/** The registry to repair from, and the prefix of its repositories' names. */
export interface Peer {
  host: string;
  prefix: string;
}

/** How many findings there were, their outcomes, and how much was checked. */
interface Report {
  type: 'report';
  findings: Record<FindingKind, number>;
  repaired: number;
  quarantined: number;
  left: number;
  checked: { count: number; size: number };
}

/** Checks a directory; sets exit code 1 if a finding is left. */
export async function runCheck(dir: string, flags: CheckFlags): Promise<void> {
  const output = outputOf(flags);
  const registry = openRoot(dir, flags.layout, {
    warn: (line) => process.stderr.write(`warning: ${line}\n`),
    readOnly: flags.quarantine !== true && flags.repairFrom === undefined,
  });
  try {
    if (flags.quarantine === true || flags.repairFrom !== undefined) await registry.own();
    const report = await untilInterrupted((signal) => checkAll(registry, flags, output, signal));
    await output.write(report, summaryOf(report));
    if (report.left > 0) process.exitCode = 1;
  } finally {
    await registry.close();
  }
}

async function checkAll(
  registry: LayoutRegistry,
  flags: CheckFlags,
  output: Output,
  signal: AbortSignal,
): Promise<Report> {
  const findings = { missing: 0, corrupt: 0, unreachable: 0, orphaned: 0, unreadable: 0 };
  const report: Report = {
    type: 'report',
    findings,
    repaired: 0,
    quarantined: 0,
    left: 0,
    checked: { count: 0, size: 0 },
  };
  const found = check(registry, {
    gracePeriod: flags.grace,
    sparse: flags.sparse === true,
    signal,
    onEvent: (event) => {
      if (event.type !== 'checked') return;
      report.checked.count++;
      report.checked.size += event.size;
    },
  });
  const peer = flags.repairFrom === undefined ? undefined : clientOf(flags.repairFrom);
  for await (const finding of found) {
    // An unreadable repository may have content of any kind.
    if (finding.kind !== 'unreadable' && flags.only?.includes(finding.kind) === false) continue;
    findings[finding.kind]++;
    const outcome = await treat(registry, finding, { peer, flags, signal });
    if (outcome.outcome === 'repaired') report.repaired++;
    else report.left++;
    if (outcome.quarantined) report.quarantined++;
    await output.write({ type: 'finding', ...finding, ...outcome }, lineOf(finding, outcome));
  }
  return report;
}

/** The outcome of a finding. */
interface Outcome {
  outcome: 'repaired' | 'left';
  quarantined: boolean;
  /** The reason why it could not be repaired. */
  error?: string;
}

interface Treatment {
  peer: Registry | undefined;
  flags: CheckFlags;
  signal: AbortSignal;
}

async function treat(registry: Registry, finding: Finding, { peer, flags, signal }: Treatment): Promise<Outcome> {
  let error: string | undefined;
  if (peer !== undefined && isDamage(finding)) {
    const prefix = flags.repairFrom?.prefix ?? '';
    const done = await repair(registry, finding, peer, { repositoryOf: (name) => prefix + name, signal });
    if (done.outcome === 'repaired') return { outcome: 'repaired', quarantined: false };
    error = done.error instanceof Error ? done.error.message : String(done.error);
  }
  const isBad = flags.quarantine === true && isDamage(finding) && finding.kind === 'corrupt';
  const quarantined = isBad && (await maintenanceOf(registry)?.quarantine(finding.repository, finding.digest)) === true;
  return { outcome: 'left', quarantined, ...(error === undefined ? {} : { error }) };
}

function clientOf({ host }: Peer): Registry {
  let isTold = false;
  return createClient({
    host,
    fetch: nodeFetch(),
    credentials: dockerCredentials(),
    // A registry that is down would otherwise look like one that is slow.
    onRetry: (error) => {
      if (isTold) return;
      isTold = true;
      const message = error instanceof Error ? error.message : String(error);
      process.stderr.write(`warning: ${message}; trying again for some seconds\n`);
    },
  });
}

function lineOf(finding: Finding, { outcome, quarantined, error }: Outcome): string {
  const { kind, repository, digest, content, size, neededBy, reason } = finding;
  if (kind === 'unreadable') return `${kind} ${repository ?? 'registry'} (${reason ?? 'unknown reason'})`;
  const place = repository === undefined ? digest : `${repository}@${digest}`;
  const notes = [
    content ?? 'file',
    ...(size === undefined ? [] : [formatBytes(size)]),
    ...(neededBy === undefined ? [] : [`needed by ${neededBy}`]),
    ...(outcome === 'repaired' ? ['repaired'] : []),
    ...(quarantined ? ['quarantined'] : []),
    ...(error === undefined ? [] : [`not repaired: ${error}`]),
  ];
  return `${kind} ${place} (${notes.join('; ')})`;
}

function summaryOf({ findings, repaired, quarantined, left, checked }: Report): string {
  const counts = Object.entries(findings).flatMap(([kind, count]) => (count === 0 ? [] : [`${count} ${kind}`]));
  const parts = [
    `checked ${checked.count} manifests and blobs (${formatBytes(checked.size)})`,
    counts.length === 0 ? 'nothing is wrong' : counts.join(', '),
    ...(repaired === 0 ? [] : [`${repaired} repaired`]),
    ...(quarantined === 0 ? [] : [`${quarantined} quarantined`]),
    ...(left === 0 ? [] : [`${left} left`]),
  ];
  return parts.join('; ');
}
