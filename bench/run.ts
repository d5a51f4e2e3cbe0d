// Runs all work of a benchmark, round by round.
import { Absent, Bench } from './bench.ts';
import type { Equipment, Work } from './bench.ts';
import { settle } from './scratch.ts';
import type { System } from './systems/system.ts';

/**
 * Runs all work in rounds. In each round every system does the work once, so that other load on the machine affects all
 * systems alike. If time runs out, only later rounds are missing.
 */
export async function runWorks(
  works: readonly Work[],
  systems: readonly System[],
  equipment: Equipment,
  progress: (line: string) => void,
): Promise<void> {
  const { settings } = equipment;
  for (let round = 0; round < settings.rounds; round += 1) {
    for (const work of works) {
      if (!work.rows(settings).some((row) => equipment.wanted(row))) continue;
      if (round >= (work.rounds ?? Infinity)) continue;
      const concerned = systems.filter((system) => work.concerns(system));
      for (const system of rotated(concerned, round, settings.rounds)) {
        progress(`${work.name}, round ${round + 1} of ${settings.rounds}: ${system.name}`);
        await runOne(work, system, equipment);
      }
    }
  }
}

/**
 * Returns the systems in the order of one round. Each round starts with another system, as the first one may find a
 * cold machine, and the later ones a disk that is still busy.
 */
export function rotated<T>(systems: readonly T[], round: number, rounds: number): T[] {
  const first = Math.floor((round * systems.length) / rounds);
  return [...systems.slice(first), ...systems.slice(0, first)];
}

/** An error outside of a measurement fails every row without a figure in this round. */
async function runOne(work: Work, system: System, equipment: Equipment): Promise<void> {
  const { results, settings, until } = equipment;
  const rows = work.rows(settings).filter((row) => equipment.wanted(row));
  if (performance.now() > until) {
    for (const row of rows) {
      const cell = results.cell(row, system.name);
      if (cell.samples.length === 0) cell.absent ??= 'no time left';
    }
    return;
  }
  await settle(settings);
  const bench = new Bench(equipment, system, work.name);
  const before = new Map(rows.map((row) => [row, results.find(row, system.name)?.samples.length ?? 0]));
  try {
    await bench.start();
    await work.run(bench);
  } catch (error) {
    for (const row of rows) {
      const cell = results.cell(row, system.name);
      if (cell.samples.length !== before.get(row) || cell.absent !== undefined) continue;
      if (error instanceof Absent) cell.absent = error.message;
      else cell.failure ??= (error as Error).message;
    }
  } finally {
    await bench.stop();
  }
}
