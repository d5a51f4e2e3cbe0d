// Finds the programs of the peers, and installs missing ones.
import { ProgramError, locateOrInstall, run } from './programs.ts';
import type { System } from './systems/system.ts';

/** A program that the benchmark needs. */
export interface Program {
  readonly name: string;
  readonly path?: string;
  readonly version?: string;
  /** The reason why it is missing. */
  readonly missing?: string;
}

export interface Found {
  readonly programs: readonly Program[];
  readonly wrk: string | undefined;
  /** The programs, by the name of the system. */
  readonly paths: ReadonlyMap<string, string>;
  /** The reason why a system cannot be measured, by its name. */
  readonly missing: ReadonlyMap<string, string>;
}

/**
 * Finds the programs of the systems, and wrk. Installs missing programs if it can.
 *
 * @param limit milliseconds for all installations together
 */
export async function findPrograms(systems: readonly System[], limit: number): Promise<Found> {
  const until = performance.now() + limit;
  const programs = new Map<string, Program>();
  const find = async ({ name, from, version }: NonNullable<System['program']>): Promise<Program> => {
    let program = programs.get(name);
    if (program === undefined) {
      const found = await locateOrInstall(name, from, Math.round(until - performance.now()));
      program =
        'path' in found
          ? { name, path: found.path, version: await versionOf(found.path, version) }
          : { name, ...found };
      programs.set(name, program);
    }
    return program;
  };

  const wrk = await find({ name: 'wrk', from: { apt: 'wrk' }, version: ['--version'] });
  const paths = new Map<string, string>();
  const missing = new Map<string, string>();
  for (const { name, program } of systems.toSorted((a, b) => effort(a) - effort(b))) {
    if (program === undefined) continue;
    const { path, missing: reason } = await find(program);
    if (path !== undefined) paths.set(name, path);
    else missing.set(name, reason ?? 'not installed');
  }
  return { programs: [...programs.values()], wrk: wrk.path, paths, missing };
}

/** Programs that install quickly come first. */
function effort({ program }: System): number {
  const from = program?.from;
  if (from === undefined || 'apt' in from) return 0;
  return from.large === true ? 2 : 1;
}

async function versionOf(path: string, flags: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run(path, flags, { timeout: 10_000 });
    return versionIn(stdout);
  } catch (error) {
    // wrk prints its version and exits with 1.
    return versionIn(error instanceof ProgramError ? error.stdout : '');
  }
}

/** Returns the version in the first line of an output: the last word that looks like one, as a path may precede it. */
export function versionIn(output: string): string {
  const line = output.trim().split('\n')[0] ?? '';
  return line.match(/v?[0-9]+\.[0-9][^\s,]*/g)?.at(-1) ?? 'unknown version';
}
