// Compares counts with the committed ones, which may only fall.
import { posix } from 'node:path';

import { kinds, type Finding, type Kind } from './count.ts';

/** Counts of one file; a kind that it has none of is left out. */
export type Counts = Readonly<Partial<Record<Kind, number>>>;

/** From a room's folder to its files to their counts. Rooms and files that have none are left out. */
export type Baseline = Readonly<Record<string, Readonly<Record<string, Counts>>>>;

/** Counts the findings by room and file, in order. */
export function countsOf(findings: readonly Finding[]): Baseline {
  const rooms: Record<string, Record<string, Partial<Record<Kind, number>>>> = {};
  for (const { path, kind } of findings.toSorted((a, b) => order(a.path, b.path) || order(a.kind, b.kind))) {
    const room = (rooms[posix.dirname(path)] ??= {});
    const file = (room[posix.basename(path)] ??= {});
    file[kind] = (file[kind] ?? 0) + 1;
  }
  return rooms;
}

function order(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

interface Count {
  readonly path: string;
  readonly kind: Kind;
  readonly count: number;
}

function list(baseline: Baseline): Count[] {
  return Object.entries(baseline).flatMap(([room, files]) =>
    Object.entries(files).flatMap(([file, counts]) =>
      Object.entries(counts).map(([kind, count]) => ({ path: posix.join(room, file), kind: kind as Kind, count })),
    ),
  );
}

function countIn(baseline: Baseline, path: string, kind: Kind): number {
  return baseline[posix.dirname(path)]?.[posix.basename(path)]?.[kind] ?? 0;
}

/** Lists the counts that are higher than allowed, each with its findings. A file that is not listed may have none. */
export function higher(findings: readonly Finding[], baseline: Baseline): string[] {
  return list(countsOf(findings))
    .filter(({ path, kind, count }) => count > countIn(baseline, path, kind))
    .map(({ path, kind, count }) => {
      const all = findings.filter((finding) => finding.path === path && finding.kind === kind);
      const lines = all.map(({ line, text }) => `    ${path}:${line}: ${text}`);
      return [`${path}: ${kind} ${count}, allowed ${countIn(baseline, path, kind)}. ${kinds[kind]}`, ...lines].join(
        '\n',
      );
    });
}

/** Lists the counts that are lower than the committed ones. */
export function lower(findings: readonly Finding[], baseline: Baseline): string[] {
  const counts = countsOf(findings);
  return list(baseline)
    .filter(({ path, kind, count }) => count > countIn(counts, path, kind))
    .map(({ path, kind, count }) => `${path}: ${kind} ${countIn(counts, path, kind)}, committed ${count}`);
}

/**
 * The baseline after files have become better, or have moved. No count of a listed file rises. Files that are not
 * listed together get at most the counts of those that are gone. Fails with the counts that are too high.
 *
 * @param paths all files that exist
 */
export function lowered(findings: readonly Finding[], baseline: Baseline, paths: ReadonlySet<string>): Baseline {
  const counts = countsOf(findings);
  const listed = new Set(list(baseline).map(({ path }) => path));
  const gone = list(baseline).filter(({ path }) => !paths.has(path));
  const unlisted = list(counts).filter(({ path }) => !listed.has(path));
  const risen = higher(
    findings.filter(({ path }) => listed.has(path)),
    baseline,
  );
  for (const kind of Object.keys(kinds) as Kind[]) {
    const [now, before] = [sumOf(unlisted, kind), sumOf(gone, kind)];
    const files = unlisted.filter((each) => each.kind === kind).map(({ path, count }) => `    ${path}: ${count}`);
    if (now > before) risen.push(`${kind} ${now} in new files, ${before} in those that are gone:`, ...files);
  }
  if (risen.length > 0) {
    throw new Error(`The baseline may only be lowered, and these counts have risen:\n${risen.join('\n')}`);
  }
  return counts;
}

function sumOf(counts: readonly Count[], kind: Kind): number {
  return counts.filter((each) => each.kind === kind).reduce((sum, { count }) => sum + count, 0);
}

/** The sum of each kind, in one line. */
export function sumsOf(baseline: Baseline): string {
  const kindsFound = Object.keys(kinds) as Kind[];
  return kindsFound.map((kind) => `${kind} ${sumOf(list(baseline), kind)}`).join(', ');
}
