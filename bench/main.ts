// The benchmark: measures ocikit and its peers in one run, and reports the results.
import { writeFile } from 'node:fs/promises';

import type { Equipment } from './bench.ts';
import { Commands } from './commands/commands.ts';
import type { FindCommand } from './commands/commands.ts';
import { describeCommands } from './commands/describe.ts';
import { findHere, prepareNewest } from './commands/newest.ts';
import { Generator } from './load/generator.ts';
import { describeMachine } from './machine.ts';
import { UsageError, meant, parseOptions, usage } from './options.ts';
import type { Options } from './options.ts';
import { findPrograms } from './peers.ts';
import type { Found } from './peers.ts';
import { run } from './programs.ts';
import { jsonReport } from './report/json.ts';
import type { Circumstances } from './report/json.ts';
import { markdownCircumstances, markdownTables, writeMarkdown } from './report/markdown.ts';
import { textTable } from './report/text.ts';
import { Results } from './results.ts';
import type { Row } from './results.ts';
import { runWorks } from './run.ts';
import { freeBytes, makeScratch } from './scratch.ts';
import { fullSettings, quickSettings, referenceSettings } from './settings.ts';
import type { Settings } from './settings.ts';
import { systems } from './systems/index.ts';
import { makeCertificate } from './systems/certificate.ts';
import { killAll } from './systems/running.ts';
import type { Certificate, System } from './systems/system.ts';
import { works } from './work/index.ts';

/** The systems of the run of docs/performance.md: a table with all of them would take hours. */
const referenceSystems = ['ocikit', 'ocikit, no sync', 'distribution 3', 'olareg', 'zot', 'bare node:http'];
const referenceCopying = ['ocikit copies', 'crane pull'];
/** The systems of a quick run without `--peers`: one of each kind, so that every row has its turn in time. */
const quickSystems = ['ocikit', 'ocikit, no sync', 'distribution 2.8', 'crane, disk', 'bare node:http'];

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let options: Options;
  try {
    options = parseOptions(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${usage}`);
    return 2;
  }

  const base = options.quick ? quickSettings : options.reference ? referenceSettings : fullSettings;
  const settings: Settings = { ...base, rounds: options.rounds ?? base.rounds };
  const chosen = systems.filter((system) => isChosen(system, options));
  say('looking for the peers, and installing what is missing');
  const found = await findPrograms(chosen, settings.installLimit * 1000);
  for (const { name, version, missing } of found.programs) say(`  ${name}: ${version ?? missing}`);
  if (options.install) return 0;

  const left = systems.filter((system) => !chosen.includes(system)).map(({ name }) => name);
  if (options.quick && left.length > 0) say(`not in --quick: ${left.join('; ')}`);
  const present = chosen.filter(({ name }) => !found.missing.has(name));
  const rows = works.flatMap((work) => work.rows(settings));
  const wanted = (row: Row): boolean => meant(options.only, row.id, row.title);
  if (!rows.some(wanted)) {
    process.stderr.write(
      `no row is called ${options.only.join(', ')}; there are: ${rows.map(({ id }) => id).join(', ')}\n`,
    );
    return 2;
  }
  const results = new Results();
  let findCommand = findHere;
  if (options.newest) {
    say('making the directory of the newest clients, if it is missing: some minutes');
    findCommand = await prepareNewest();
  }
  const clients = await describeCommands(findCommand);
  for (const { name, version, missing } of clients) say(`  ${name}: ${version ?? missing}`);
  const machine = await measure(options, settings, present, found, results, wanted, findCommand);
  noteMissing(settings, found, results);
  const circumstances = { date: new Date().toISOString(), machine, programs: [...found.programs, ...clients] };
  return report(options, circumstances, settings, rows, found, results);
}

function isChosen({ kind, name }: System, options: Options): boolean {
  if (kind === 'peer' && !meant(options.peers, name)) return false;
  if (options.reference) return [...referenceSystems, ...referenceCopying].includes(name);
  return !options.quick || options.peers.length > 0 || [...quickSystems, ...referenceCopying].includes(name);
}

async function measure(
  options: Options,
  settings: Settings,
  present: typeof systems,
  found: Found,
  results: Results,
  wanted: (row: Row) => boolean,
  findCommand: FindCommand,
): Promise<string[]> {
  const scratch = await makeScratch(options.scratch);
  const generator = new Generator();
  const prober = new Generator();
  const commands = new Commands(findCommand, scratch);
  const end = (): void => {
    // An interrupted run leaves no processes and no data behind.
    killAll();
    void Promise.all([generator.stop(), prober.stop(), commands.stop()])
      .then(() => scratch.remove())
      .finally(() => process.exit(1));
  };
  process.once('SIGINT', end).once('SIGTERM', end);
  try {
    const machine = await describeMachine(scratch.directory);
    for (const line of machine) say(line);
    const free = await freeBytes(scratch.directory);
    say(`everything is kept in ${scratch.directory} (${Math.round(free / 1e9)} GB free)`);
    if (free < spaceFor(settings, present)) say('that may be too little: see --scratch, --rounds and --only');
    const until = settings.limit * 1000;
    let certificate: Promise<Certificate> | undefined;
    const equipment: Equipment = {
      settings,
      results,
      generator,
      prober,
      certificate: () => (certificate ??= makeCertificate(scratch.directory)),
      commands,
      scratch,
      wrk: found.wrk,
      programs: found.paths,
      wanted,
      until,
    };
    await runWorks(works, present, equipment, say);
    return machine;
  } finally {
    killAll();
    await Promise.all([generator.stop(), prober.stop(), commands.stop()]);
    await scratch.remove();
  }
}

/** The approximate bytes that all rows write: one large blob for each round, and some GB of small blobs. */
function spaceFor({ rounds, largeSize }: Settings, present: typeof systems): number {
  const onDisk = present.filter(({ medium }) => medium !== 'memory').length;
  return (rounds + 1) * onDisk * (largeSize + 1e9);
}

/** A peer that is not installed keeps its lines in the table, if it could be installed. */
function noteMissing(settings: Settings, found: Found, results: Results): void {
  for (const work of works) {
    for (const system of systems) {
      const reason = found.missing.get(system.name);
      if (reason === undefined || system.program?.from === undefined || !work.concerns(system)) continue;
      for (const row of work.rows(settings)) if (results.has(row)) results.cell(row, system.name).absent = reason;
    }
  }
}

async function report(
  options: Options,
  circumstances: Circumstances,
  settings: Settings,
  rows: readonly Row[],
  found: Found,
  results: Results,
): Promise<number> {
  const reported = systems.filter((system) => isChosen(system, options));
  process.stdout.write(`\n${textTable(rows, reported, results)}`);
  const load =
    found.wrk === undefined
      ? "All by the benchmark's own generator."
      : "GET by wrk, all else by the benchmark's own generator.";
  process.stdout.write(`\n${load}\n`);
  if (options.json !== undefined) {
    await writeFile(options.json, jsonReport(circumstances, settings, rows, reported, results));
  }
  if (options.markdown !== undefined) {
    const measured = reported.filter(({ name }) => !found.missing.has(name));
    const table = markdownTables(rows, measured, results);
    await writeMarkdown(options.markdown, `${markdownCircumstances(circumstances, settings)}\n${table}`);
    // The document is checked for its format. A reader without the formatter has the table all the same.
    await run('npx', ['--no-install', 'oxfmt', options.markdown]).catch((error: Error) => say(error.message));
  }
  // A failing peer does not fail the run; a failing ocikit does.
  const ours = reported.filter(({ kind }) => kind !== 'peer');
  const failed = rows.flatMap((row) =>
    ours.filter(({ name }) => results.find(row, name)?.failure !== undefined).map(({ name }) => `${row.id}: ${name}`),
  );
  if (failed.length === 0) return 0;
  process.stderr.write(`failed: ${failed.join('; ')}\n`);
  return 1;
}

function say(line: string): void {
  process.stderr.write(`${(performance.now() / 1000).toFixed(0).padStart(5)} s  ${line}\n`);
}
