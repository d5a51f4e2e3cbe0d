/** How much is done. */
export interface Settings {
  readonly quick: boolean;
  /** Each system does each work so many times. */
  readonly rounds: number;
  /** How long a rate is measured, and what goes before it. */
  readonly seconds: number;
  readonly warmUp: number;
  /** Milliseconds after `sync` and before each measurement. */
  readonly pause: number;
  readonly connections: number;
  /** The tags of the repository that has many. */
  readonly manyTags: number;
  /** Bytes of the large blob; a multiple of 1 MiB. */
  readonly largeSize: number;
  /** The numbers of tags at which growth is looked at, the smallest first. */
  readonly growth: readonly number[];
  /** Systems other than ocikit grow to this one of them; the first tenth of it is compared with the last. */
  readonly growthOfAll: number;
  /** Seconds after which a system that has become slow stops growing. */
  readonly growthLimit: number;
  /** Repositories of the catalog, and referrers of a manifest. */
  readonly manyRepositories: number;
  readonly manyReferrers: number;
  /** Seconds after which nothing new begins; what is left out says so. */
  readonly limit: number;
  /** Seconds that installing what is missing may take, all together. */
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
  limit: Infinity,
  installLimit: 600,
};

/** Everything once, to see that all of it works: the figures mean little. */
export const quickSettings: Settings = {
  quick: true,
  rounds: 1,
  seconds: 0.3,
  warmUp: 0.1,
  pause: 20,
  connections: 16,
  manyTags: 200,
  largeSize: 64 * mebibyte,
  growth: [50, 200],
  growthOfAll: 200,
  growthLimit: 10,
  manyRepositories: 100,
  manyReferrers: 100,
  limit: 120,
  installLimit: 45,
};
