// All clients and registries that the tests use, and whether this machine has them.
import { delimiter, isAbsolute, join } from 'node:path';

import { describe, test } from 'vitest';

import { isExecutable } from '../../bench/programs.ts';

/** The directory for installed programs. Git ignores it. */
const cache = join(import.meta.dirname, '.cache');
export const goBinaries: string = join(cache, 'bin');
export const orasEnvironment: string = join(cache, 'oras');
const orasPython = join(orasEnvironment, 'bin', 'python');

export type ClientName =
  | 'docker'
  | 'podman'
  | 'buildah'
  | 'skopeo'
  | 'crane'
  | 'regctl'
  | 'umoci'
  | 'oras'
  | 'docker-registry'
  | 'distribution'
  | 'cosign';

interface ClientProgram {
  /** All programs that the client needs. The first one is the client itself. */
  readonly programs: readonly [string, ...string[]];
  /** True if its daemon or its storage needs root. */
  readonly needsRoot: boolean;
  readonly version: readonly string[];
  readonly from: { readonly apt: string } | { readonly go: string } | { readonly pip: string };
}

export const clients: Readonly<Record<ClientName, ClientProgram>> = {
  docker: {
    programs: ['docker', 'dockerd', 'containerd'],
    needsRoot: true,
    version: ['--version'],
    from: { apt: 'docker.io' },
  },
  podman: { programs: ['podman'], needsRoot: true, version: ['--version'], from: { apt: 'podman' } },
  buildah: { programs: ['buildah'], needsRoot: true, version: ['--version'], from: { apt: 'buildah' } },
  skopeo: { programs: ['skopeo'], needsRoot: false, version: ['--version'], from: { apt: 'skopeo' } },
  crane: {
    programs: ['crane'],
    needsRoot: false,
    version: ['version'],
    from: { go: 'github.com/google/go-containerregistry/cmd/crane@latest' },
  },
  regctl: {
    programs: ['regctl'],
    needsRoot: false,
    version: ['version', '--format', '{{.VCSTag}}'],
    from: { go: 'github.com/regclient/regclient/cmd/regctl@latest' },
  },
  umoci: { programs: ['umoci'], needsRoot: false, version: ['--version'], from: { apt: 'umoci' } },
  // A Python library: the program is the interpreter of its environment.
  oras: {
    programs: [orasPython],
    needsRoot: false,
    version: ['-c', 'import oras; print(oras.__version__)'],
    from: { pip: 'oras' },
  },
  // Registries, which the client of ocikit talks to.
  'docker-registry': {
    programs: ['docker-registry'],
    needsRoot: false,
    version: ['--version'],
    from: { apt: 'docker-registry' },
  },
  distribution: {
    programs: ['registry'],
    needsRoot: false,
    version: ['--version'],
    from: { go: 'github.com/distribution/distribution/v3/cmd/registry@v3.1.2' },
  },
  cosign: {
    programs: ['cosign'],
    needsRoot: false,
    version: ['version', '--json'],
    from: { go: 'github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3' },
  },
};

export const clientNames: readonly ClientName[] = Object.keys(clients) as ClientName[];

/** With `CI=true` a missing client is a failure. Otherwise its tests are skipped with a reason. */
export const nothingMayBeSkipped: boolean = process.env['CI'] === 'true';

/** Returns the path of a program, in `PATH` or among the installed ones; undefined if it is not found. */
export async function locate(program: string): Promise<string | undefined> {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', goBinaries];
  const candidates = isAbsolute(program) ? [program] : directories.map((directory) => join(directory, program));
  for (const candidate of candidates) {
    if (await isExecutable(candidate)) return candidate;
  }
  return undefined;
}

/** Returns the reason why the tests of a client cannot run here; undefined if they can. */
export async function whyMissing(name: ClientName): Promise<string | undefined> {
  const { programs, needsRoot } = clients[name];
  for (const program of programs) {
    if ((await locate(program)) === undefined) return `${program} is not installed`;
  }
  if (needsRoot && process.getuid?.() !== 0) return `${name} needs root`;
  return undefined;
}

const missing = new Map<ClientName, string>();
for (const name of clientNames) {
  const reason = await whyMissing(name);
  if (reason !== undefined) missing.set(name, reason);
}

/** Returns the clients that this machine has. A missing one appears in the report: as skipped, and in CI as failed. */
export function presentClients<Name extends ClientName>(names: readonly Name[]): Name[] {
  for (const name of names) {
    const reason = missing.get(name);
    if (reason === undefined) continue;
    test.skipIf(!nothingMayBeSkipped)(`${name} is tested (${reason})`, () => {
      throw new Error(reason);
    });
  }
  return names.filter((name) => !missing.has(name));
}

/** Describes tests that need these clients. */
export function describeWith(names: readonly ClientName[], title: string, define: () => void): void {
  describe(title, () => {
    if (presentClients(names).length === names.length) define();
  });
}
