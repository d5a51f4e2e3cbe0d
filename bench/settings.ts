// The size of a benchmark: rounds, durations and amounts of content.

/** The size of a benchmark. */
export interface Settings {
  readonly quick: boolean;
  /** Number of times that each system does each work. */
  readonly rounds: number;
  /** Seconds for which a rate is measured, and the warm-up before. */
  readonly seconds: number;
  readonly warmUp: number;
  /** Milliseconds after `sync` and before each measurement. */
  readonly pause: number;
  readonly connections: number;
  /** Number of tags of the repository with many tags. */
  readonly manyTags: number;
  /** Bytes of the large blob; a multiple of 1 MiB. */
  readonly largeSize: number;
  /** The numbers of tags at which growth is measured, in ascending order. */
  readonly growth: readonly number[];
  /** The one of these sizes to which peers grow. Its first tenth of pushes is compared with the last one. */
  readonly growthOfAll: number;
  /** Seconds after which a slow system stops growing. */
  readonly growthLimit: number;
  /** Number of repositories in the catalog, and of referrers of a manifest. */
  readonly manyRepositories: number;
  readonly manyReferrers: number;
  /** Number of clients that push at once, and of half-open connections beside them. */
  readonly crowd: { readonly clients: number; readonly halfOpen: number };
  /** Number of pushes amid which the server is killed. */
  readonly pushesBeforeKill: number;
  /** How often a real client does its work with a small image. The median counts. */
  readonly commandRepeats: number;
  /** Bytes of the large image of real clients. */
  readonly commandSize: number;
  /** Seconds after which no new measurement starts. The report marks rows that were left out. */
  readonly limit: number;
  /** Seconds that all installations together may take. */
  readonly installLimit: number;
}

const mebibyte = 1024 * 1024;

export const fullSettings: Settings = {
  quick: false,
  rounds: 3,
  seconds: 2,
  warmUp: 1,
  pause: 500,
  connections: 16,
  manyTags: 2000,
  largeSize: 1024 * mebibyte,
  growth: [100, 2000, 10_000, 100_000],
  growthOfAll: 10_000,
  growthLimit: 300,
  manyRepositories: 2000,
  manyReferrers: 1000,
  crowd: { clients: 500, halfOpen: 2000 },
  pushesBeforeKill: 65_536,
  commandRepeats: 5,
  commandSize: 1024 * mebibyte,
  limit: Infinity,
  installLimit: 600,
};

/** The run whose table stands in docs/performance.md: as many rounds as 25 minutes have room for. */
export const referenceSettings: Settings = {
  ...fullSettings,
  seconds: 1,
  warmUp: 0.5,
  pause: 200,
  growth: [100, 2000],
  growthOfAll: 2000,
  growthLimit: 20,
  commandRepeats: 3,
  limit: 23 * 60,
};

/** Runs everything once and briefly, as a test of the benchmark. The figures mean little. */
export const quickSettings: Settings = {
  quick: true,
  rounds: 1,
  seconds: 0.3,
  warmUp: 0.1,
  pause: 20,
  connections: 16,
  manyTags: 200,
  largeSize: 16 * mebibyte,
  growth: [50, 200],
  growthOfAll: 200,
  growthLimit: 10,
  manyRepositories: 100,
  manyReferrers: 100,
  crowd: { clients: 50, halfOpen: 100 },
  pushesBeforeKill: 1000,
  commandRepeats: 1,
  commandSize: 64 * mebibyte,
  limit: 120,
  installLimit: 45,
};
