// Compares platforms: whether an image for one runs on another, and which image fits best.
import { RegistryError } from '../../model/index.ts';
import type { Platform } from '../../model/index.ts';

const architectures: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  x64: 'amd64',
  aarch64: 'arm64',
  i386: '386',
  i486: '386',
  i586: '386',
  i686: '386',
  x86: '386',
};

const operatingSystems: Readonly<Record<string, string>> = { macos: 'darwin' };

/** The variant of an architecture if none is given. */
const baseVariants: Readonly<Record<string, string>> = { amd64: 'v1', arm64: 'v8', arm: 'v7' };

/**
 * Checks the platforms that a caller gives.
 *
 * @param others the other values that the option takes, for the error
 * @throws RegistryError UNSUPPORTED if they are no list of platforms, or an empty one
 */
export function assertPlatforms(platforms: unknown, others = ''): asserts platforms is readonly Platform[] {
  const isPlatform = (one: unknown): boolean =>
    typeof one === 'object' && one !== null && 'os' in one && 'architecture' in one;
  if (Array.isArray(platforms) && platforms.length > 0 && platforms.every(isPlatform)) return;
  const shown = JSON.stringify(platforms) as string | undefined;
  throw new RegistryError(
    'UNSUPPORTED',
    `platforms is ${shown?.slice(0, 100)}: use ${others}a list of platforms such as parsePlatform('linux/amd64')`,
  );
}

/** Converts a platform to Go's names: `Linux/x86_64` becomes `linux/amd64`, and `arm64/v8` becomes `arm64`. */
export function normalizePlatform(platform: Partial<Platform>): Platform {
  const os = (platform.os ?? '').toLowerCase();
  const named = (platform.architecture ?? '').toLowerCase();
  const isArm = named === 'armhf' || named === 'armel';
  const architecture = isArm ? 'arm' : (architectures[named] ?? named);
  const said = platform.variant?.toLowerCase() ?? (named === 'armel' ? 'v6' : '');
  const variant = /^\d/.test(said) ? `v${said}` : said;
  const version = platform['os.version'];
  const features = platform['os.features'];
  return {
    architecture,
    os: operatingSystems[os] ?? os,
    ...(version === undefined || version === '' ? {} : { 'os.version': version }),
    ...(features === undefined || features.length === 0 ? {} : { 'os.features': features }),
    ...(variant === '' || variant === baseVariants[architecture] ? {} : { variant }),
  };
}

/**
 * * Tells whether an image for one platform runs on another. The system and the architecture must be the same. The
 * variant must be supported (`arm/v6` runs on `arm/v7`), the build of Windows the same, and all needed features
 * present. Image specification, "Image Index".
 */
export function runsOn(offered: Partial<Platform>, wanted: Platform): boolean {
  const [made, host] = [normalizePlatform(offered), normalizePlatform(wanted)];
  return (
    made.os === host.os &&
    made.architecture === host.architecture &&
    hasVariant(made, host) &&
    hasVersion(made, host) &&
    (made['os.features'] ?? []).every((feature) => host['os.features']?.includes(feature))
  );
}

function hasVariant(made: Platform, host: Platform): boolean {
  if (made.variant === host.variant) return true;
  const [low, high] = [variantNumber(made), variantNumber(host)];
  // Variants without numbers cannot be compared. An image without a variant runs on all of them.
  if (low === undefined || high === undefined) return made.variant === undefined;
  return low <= high;
}

/** A missing version fits every version. */
function hasVersion(made: Platform, host: Platform): boolean {
  const [offered, wanted] = [made['os.version'], host['os.version']];
  if (offered === undefined || wanted === undefined || offered === wanted) return true;
  // The last number of `10.0.17763.1234` is the patch level.
  return host.os === 'windows' && buildOf(offered) === buildOf(wanted);
}

const buildOf = (version: string): string => version.split('.', 3).join('.');

function variantNumber({ architecture, variant = baseVariants[architecture] }: Platform): number | undefined {
  const match = /^v(\d+(?:\.\d+)?)$/.exec(variant ?? '');
  return match === null ? undefined : Number(match[1]);
}

/** Something for a platform, such as an entry of an index. */
export interface ForPlatform {
  /** The platform that it is made for. */
  readonly platform?: Platform | undefined;
}

/**
 * * Gives the entries that run on a platform, the best first: by the highest variant, then by the highest version of
 * the system. Equally good entries keep their order. Entries without a platform are left out.
 */
export function matchingEntries<T extends ForPlatform>(entries: readonly T[], wanted: Platform): T[] {
  return entries
    .filter(({ platform }) => platform !== undefined && runsOn(platform, wanted))
    .toSorted((a, b) => better(a.platform ?? {}, b.platform ?? {}));
}

/**
 * Chooses the best entry of an index for the first of these platforms that has one.
 *
 * @example
 * const entry = chooseEntry(index.manifests, [parsePlatform('linux/arm/v7')]);
 */
export function chooseEntry<T extends ForPlatform>(
  entries: readonly T[],
  platforms: readonly Platform[],
): T | undefined {
  for (const wanted of platforms) {
    const [best] = matchingEntries(entries, wanted);
    if (best !== undefined) return best;
  }
  return undefined;
}

function better(a: Partial<Platform>, b: Partial<Platform>): number {
  const [left, right] = [normalizePlatform(a), normalizePlatform(b)];
  const byVariant = (variantNumber(right) ?? 0) - (variantNumber(left) ?? 0);
  return byVariant === 0 ? byVersion(right['os.version'] ?? '', left['os.version'] ?? '') : byVariant;
}

function byVersion(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0 && !Number.isNaN(difference)) return difference;
  }
  return 0;
}
