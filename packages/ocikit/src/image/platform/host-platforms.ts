import type { Platform } from '../../model/index.ts';

/** What Node's `process` says of the machine; Deno and Bun have one as well. */
export interface HostProcess {
  /** `linux`, `darwin`, `win32` … */
  readonly platform: string;
  /** `x64`, `arm64`, `arm` … */
  readonly arch: string;
  readonly config?: { readonly variables?: object } | undefined;
}

const operatingSystems: Readonly<Record<string, string>> = { win32: 'windows', sunos: 'solaris', cygwin: 'windows' };
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', mipsel: 'mipsle' };

/**
 * The platforms whose images run on a machine, the best first: its own and, as containers run in a Linux machine there, `linux` of the same
 * architecture.
 *
 * @param host Node's `process`. Default: the global one; where there is none, as in browsers, `linux/amd64`
 *
 * @example
 * hostPlatforms(process); // on a Mac: darwin/arm64, linux/arm64
 */
export function hostPlatforms(host: HostProcess | undefined = globalProcess()): readonly Platform[] {
  if (host === undefined) return [{ architecture: 'amd64', os: 'linux' }];
  const os = operatingSystems[host.platform] ?? host.platform;
  const machine = { architecture: architectureOf(host), ...variantOf(host) };
  return os === 'linux'
    ? [{ ...machine, os }]
    : [
        { ...machine, os },
        { ...machine, os: 'linux' },
      ];
}

function globalProcess(): HostProcess | undefined {
  const { process: found } = globalThis as { process?: Partial<HostProcess> };
  const { platform, arch, config } = found ?? {};
  // What bundlers put in its place in a browser knows neither.
  return typeof platform === 'string' && typeof arch === 'string' ? { platform, arch, config } : undefined;
}

function architectureOf({ arch, platform }: HostProcess): string {
  // Node runs on the little-endian one, but on AIX.
  if (arch === 'ppc64') return platform === 'aix' ? arch : 'ppc64le';
  return architectures[arch] ?? arch;
}

/** Which ARM processor Node was built for: a Raspberry Pi Zero has version 6. */
function variantOf({ arch, config }: HostProcess): Pick<Platform, 'variant'> {
  const { arm_version: version } = (config?.variables ?? {}) as { arm_version?: unknown };
  return arch === 'arm' && typeof version === 'string' && /^\d$/.test(version) ? { variant: `v${version}` } : {};
}
