import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import { openLayouts } from 'ocikit/layout';
import { imageOf, pushContent } from 'ocikit/testing';

import { placed } from './fences.ts';
import type { Fence, Places } from './fences.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
const longest = 60_000;

/** Where the snippets of one guide are run. */
export interface Workshop {
  /** Compiles all modules of the guide. @returns what the compiler has to say; nothing, if all is well */
  compile(fences: readonly Fence[]): Promise<string>;
  /** Runs one. @throws Error with what it printed if it fails */
  run(fence: Fence): Promise<void>;
  close(): Promise<void>;
}

/** @param guide its file's name without `.md` */
export async function openWorkshop(guide: string, upstream: string): Promise<Workshop> {
  // Modules find the packages from inside the repository only.
  const modules = join(here, '.run', `${guide}-${process.pid}`);
  await mkdir(modules, { recursive: true });
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
  const nameOf = ({ line }: Fence): string => `line-${line}`;

  return {
    async compile(fences) {
      for (const fence of fences) await writeFile(join(modules, `${nameOf(fence)}.ts`), placed(fence.text, places));
      await writeFile(join(modules, 'tsconfig.json'), JSON.stringify(configuration(modules)));
      const tsc = join(root, 'node_modules/typescript/bin/tsc');
      const { code, output } = await execute(process.execPath, [tsc, '-p', modules], { cwd: modules, env });
      return code === 0 ? '' : output;
    },
    async run(fence) {
      const module = join(modules, 'out', `${nameOf(fence)}.js`);
      const [command, args] =
        fence.language === 'ts'
          ? [process.execPath, [join(here, 'run-module.js'), module]]
          : ['bash', ['-euo', 'pipefail', '-c', placed(fence.text, places)]];
      const { code, output } = await execute(command, args, { cwd: directory, env });
      if (code !== 0) throw new Error(`it ended with ${code}:\n${output}`);
    },
    async close() {
      await execute('bash', [join(state, 'stop-server')], { cwd: state, env });
      for (const each of [modules, directory, state]) await rm(each, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

function configuration(modules: string): object {
  return {
    extends: relative(modules, join(root, 'tsconfig.base.json')),
    compilerOptions: {
      composite: false,
      declaration: false,
      isolatedDeclarations: false,
      sourceMap: false,
      // A snippet may show what it does not go on to use.
      noUnusedLocals: false,
      noUnusedParameters: false,
      rootDir: '.',
      outDir: 'out',
    },
    include: ['*.ts'],
  };
}

/** What the guides find where they begin. */
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
  // Not `close`: a server that goes on in the background may have the streams still.
  const [code] = (await once(child, 'exit')) as [number | null];
  child.stdout.destroy();
  child.stderr.destroy();
  return { code, output: Buffer.concat(output).toString() };
}
