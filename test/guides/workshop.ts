// Compiles and runs the snippets of one guide.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import { openLayouts } from 'ocikit/layout';
import { imageOf, pushContent } from 'ocikit/testing';

import { fileOf, placed } from './fences.ts';
import type { Fence, Places } from './fences.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
/** Milliseconds for one snippet: some run a whole suite of tests. */
const longest = 240_000;

/** The place in which the snippets of one guide are compiled and run. */
export interface Workshop {
  /** Compiles all modules of the guide. @returns the compiler's messages; empty if all is well */
  compile(fences: readonly Fence[]): Promise<string>;
  /** Runs one snippet. @throws Error with its output if it fails */
  run(fence: Fence): Promise<void>;
  /** Stops the guide's server and removes all files. */
  close(): Promise<void>;
}

/** @param guide the guide's file name without `.md` */
export async function openWorkshop(guide: string, upstream: string): Promise<Workshop> {
  // Modules find the packages from inside the repository only.
  const modules = join(here, '.run', `${guide}-${process.pid}`);
  await mkdir(modules, { recursive: true });
  await writeFile(join(modules, 'vitest.config.js'), 'export default { test: { testTimeout: 120_000 } };\n');
  const directory = await mkdtemp(join(tmpdir(), `ocikit-guide-${guide}-`));
  const state = await mkdtemp(join(tmpdir(), 'ocikit-guide-state-'));
  const places: Places = { upstream, port: await freePort() };
  await furnish(directory);
  await copyFile(join(here, 'ocikit.sh'), join(state, 'ocikit'));
  await copyFile(join(here, 'stop-server.sh'), join(state, 'stop-server'));
  const env = {
    ...process.env,
    PATH: `${state}${delimiter}${process.env['PATH'] ?? ''}`,
    NO_COLOR: '1',
    OCIKIT_BIN: join(root, 'packages/cli/bin/ocikit.js'),
    OCIKIT_PORT: String(places.port),
    OCIKIT_STATE: state,
  };

  return {
    async compile(fences) {
      for (const fence of fences) await writeFile(join(modules, fileOf(fence)), placed(fence.text, places));
      await writeFile(join(modules, 'tsconfig.json'), JSON.stringify(configuration(modules)));
      const tsc = join(root, 'node_modules/typescript/bin/tsc');
      const { code, output } = await execute(process.execPath, [tsc, '-p', modules], { cwd: modules, env });
      return code === 0 ? '' : output;
    },
    async run(fence) {
      const module = join(modules, 'out', fileOf(fence).replace(/ts$/, 'js'));
      const { code, output } =
        fence.language === 'ts'
          ? await execute(process.execPath, [...runnerOf(fence, modules), module], { cwd: directory, env })
          : await execute('bash', ['-euo', 'pipefail', '-c', placed(fence.text, places)], { cwd: directory, env });
      if (code !== 0) throw new Error(`it ended with ${code}:\n${output}`);
    },
    async close() {
      await execute('bash', [join(state, 'stop-server')], { cwd: state, env });
      for (const each of [modules, directory, state]) await rm(each, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** The arguments of Node before a module: a module that imports a test runner is run by that runner. */
function runnerOf({ text }: Fence, modules: string): string[] {
  if (/from 'node:test'/.test(text)) return ['--test'];
  if (/from 'vitest'/.test(text)) {
    return [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--root', modules];
  }
  return [join(here, 'run-module.js')];
}

function configuration(modules: string): object {
  return {
    extends: relative(modules, join(root, 'tsconfig.base.json')),
    compilerOptions: {
      composite: false,
      declaration: false,
      isolatedDeclarations: false,
      sourceMap: false,
      // A snippet may declare things that it does not use.
      noUnusedLocals: false,
      noUnusedParameters: false,
      rootDir: '.',
      outDir: 'out',
    },
    include: ['*.ts'],
  };
}

/** Makes the content that a guide finds in its directory. */
async function furnish(directory: string): Promise<void> {
  const store = openLayouts(join(directory, 'registry-data'));
  await pushContent(store, 'team/app', imageOf({ annotations: { of: 'the guides' } }), { tags: ['v1'] });
  await store.close();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  server.close();
  await once(server, 'close');
  return address.port;
}

async function execute(
  command: string,
  args: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv },
): Promise<{ code: number | null; output: string }> {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'], timeout: longest });
  const output: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => output.push(piece));
  child.stderr.on('data', (piece: Buffer) => output.push(piece));
  // Not `close`: a server in the background may still hold the streams.
  const [code] = (await once(child, 'exit')) as [number | null];
  child.stdout.destroy();
  child.stderr.destroy();
  return { code, output: Buffer.concat(output).toString() };
}
