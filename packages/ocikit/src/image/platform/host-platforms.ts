// Finds the platforms whose images run on this machine.
import type { Platform } from '../../model/index.ts';

/** The part of Node's `process` that describes the machine. Deno and Bun have it too. */
export interface HostProcess {
  /** `linux`, `darwin`, `win32` … */
  readonly platform: string;
  /** `x64`, `arm64`, `arm` … */
  readonly arch: string;
  /** How Node was built: its variables tell the version of an ARM processor. */
  readonly config?: { readonly variables?: object } | undefined;
}

const operatingSystems: Readonly<Record<string, string>> = { win32: 'windows', sunos: 'solaris', cygwin: 'windows' };
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', mipsel: 'mipsle' };

/**
 * * Gives the platforms whose images run on a machine, the best first. After the machine's own platform comes `linux`
 * of the same architecture, as other systems run containers in a Linux virtual machine.
 *
 * @param host Node's `process`. Default: the global one. Without one, as in browsers, the result is `linux/amd64`
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
  // Bundlers put a `process` without these fields into browsers.
  return typeof platform === 'string' && typeof arch === 'string' ? { platform, arch, config } : undefined;
}

function architectureOf({ arch, platform }: HostProcess): string {
  // Node runs on little-endian POWER, except on AIX.
  if (arch === 'ppc64') return platform === 'aix' ? arch : 'ppc64le';
  return architectures[arch] ?? arch;
}

/** The ARM version that Node was built for. A Raspberry Pi Zero has version 6. */
function variantOf({ arch, config }: HostProcess): Pick<Platform, 'variant'> {
  const { arm_version: version } = (config?.variables ?? {}) as { arm_version?: unknown };
  return arch === 'arm' && typeof version === 'string' && /^\d$/.test(version) ? { variant: `v${version}` } : {};
}
