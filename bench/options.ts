// The options of the benchmark.
import { parseArgs } from 'node:util';

export interface Options {
  /** Measure only rows with one of these texts in their id or title; an empty list means all rows. */
  readonly only: readonly string[];
  /** Measure only peers with one of these texts in their name; an empty list means all peers. */
  readonly peers: readonly string[];
  readonly rounds: number | undefined;
  readonly quick: boolean;
  /** Measure what stands in docs/performance.md, and write it there. */
  readonly reference: boolean;
  /** Use the newest clients of Debian, from test/newest. */
  readonly newest: boolean;
  /** Install missing programs, and measure nothing. */
  readonly install: boolean;
  /** Parent of the working directory; undefined picks a place on a disk. */
  readonly scratch: string | undefined;
  readonly json: string | undefined;
  readonly markdown: string | undefined;
}

export const usage = `npm run bench -- [OPTIONS]

  --only ROW[,ROW]   only rows whose name has this in it
  --peers NAME[,...] only peers whose name has this in it; "none" for no peer
  --rounds N         each system does each work N times (3)
  --quick            everything once, small and short: to see that it works, within 150 s
  --reference        the run of docs/performance.md: the main systems, within 25 minutes; writes its table
  --newest           real clients are Debian's newest ones, in a directory of their own (test/newest/forky)
  --scratch DIR      where the directory for everything is made, and removed at the end
  --json FILE        write all measurements
  --markdown FILE    write the table; between "<!-- table -->" marks, if the file is there and has them
  --install          only install the peers that are missing
`;

const performanceDocument = 'docs/performance.md';

export class UsageError extends Error {}

export function parseOptions(args: readonly string[]): Options {
  const { values } = parse(args);
  if (values.quick === true && values.reference === true) {
    throw new UsageError('--quick and --reference exclude each other: the figures of --quick mean little');
  }
  return {
    only: list(values.only),
    peers: list(values.peers),
    rounds: values.rounds === undefined ? undefined : wholeNumber(values.rounds),
    quick: values.quick ?? false,
    reference: values.reference ?? false,
    newest: values.newest ?? false,
    install: values.install ?? false,
    scratch: values.scratch,
    json: values.json,
    markdown: values.markdown ?? (values.reference === true ? performanceDocument : undefined),
  };
}

/** Returns true if a name contains one of the given words, ignoring case, or if there are no words. */
export function meant(words: readonly string[], ...names: readonly string[]): boolean {
  if (words.length === 0) return true;
  return words.some((word) => names.some((name) => name.toLowerCase().includes(word.toLowerCase())));
}

const known = {
  only: { type: 'string' },
  peers: { type: 'string' },
  rounds: { type: 'string' },
  quick: { type: 'boolean' },
  reference: { type: 'boolean' },
  newest: { type: 'boolean' },
  install: { type: 'boolean' },
  scratch: { type: 'string' },
  json: { type: 'string' },
  markdown: { type: 'string' },
} as const;

function parse(args: readonly string[]): ReturnType<typeof parseArgs<{ options: typeof known }>> {
  try {
    return parseArgs({ args: [...args], options: known });
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

function list(text: string | undefined): string[] {
  if (text === undefined) return [];
  const words = text.split(',').map((word) => word.trim());
  if (words.includes('')) throw new UsageError(`an empty name in "${text}"`);
  return words;
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!/^[0-9]+$/.test(text) || number < 1) throw new UsageError(`--rounds ${text}: it is a number from 1`);
  return number;
}
