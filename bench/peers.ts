import { ProgramError, locateOrInstall, run } from './programs.ts';
import type { System } from './systems/system.ts';

/** A program that was looked for. */
export interface Program {
  readonly name: string;
  readonly path?: string;
  readonly version?: string;
  /** Why it is not there. */
  readonly missing?: string;
}

export interface Found {
  readonly programs: readonly Program[];
  readonly wrk: string | undefined;
  /** By the system's name. */
  readonly paths: ReadonlyMap<string, string>;
  /** Why a system can't be measured, by its name. */
  readonly missing: ReadonlyMap<string, string>;
}

/**
 * Finds what the systems need, and wrk; installs what is missing, if it can.
 *
 * @param limit Milliseconds for all that is installed.
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

/** What is quickly installed comes first. */
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
    // wrk prints its version, and then exits with 1.
    return versionIn(error instanceof ProgramError ? error.stdout : '');
  }
}

/** The last thing in the first line that looks like one: a path comes before it in some. */
export function versionIn(output: string): string {
  const line = output.trim().split('\n')[0] ?? '';
  return line.match(/v?[0-9]+\.[0-9][^\s,]*/g)?.at(-1) ?? 'unknown version';
}
