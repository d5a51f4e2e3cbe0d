// The versions of the real clients, for the report.
import { versionIn } from '../peers.ts';
import type { Program } from '../peers.ts';
import { run } from '../programs.ts';
import type { FindCommand } from './commands.ts';

/** The programs of the real clients, and how each tells its version. */
const flags = {
  docker: ['--version'],
  dockerd: ['--version'],
  podman: ['--version'],
  skopeo: ['--version'],
  crane: ['version'],
  containerd: ['--version'],
  curl: ['--version'],
} as const;

/** Finds the real clients, and asks for their versions. */
export async function describeCommands(find: FindCommand): Promise<Program[]> {
  const described: Program[] = [];
  for (const [name, version] of Object.entries(flags)) {
    const found = await find(name);
    if (found === undefined) {
      described.push({ name, missing: 'not installed' });
      continue;
    }
    const { file, args } = found;
    try {
      const { stdout } = await run(file, [...args, ...version], { timeout: 10_000 });
      described.push({ name, path: file, version: versionIn(stdout.split(' (')[0] ?? '') });
    } catch (error) {
      described.push({ name, missing: `does not run: ${(error as Error).message.split('\n')[0]}` });
    }
  }
  return described;
}
