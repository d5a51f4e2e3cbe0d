// Runs the exercise of the client in every runtime.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { servePage } from './page-server.ts';
import { start, startRegistry } from './server.ts';

const here = import.meta.dirname;
const run = promisify(execFile);
const program = (name: string): string => join(here, 'node_modules', '.bin', name);

/** All steps of `exercise.js`. */
const all = [
  'push blobs',
  'push in chunks',
  'push a manifest with tags',
  'pull',
  'referrers',
  'list tags',
  'report errors',
  'delete a tag',
];

let registry: Awaited<ReturnType<typeof startRegistry>>;
beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry.stop());

/** Bundles a file for a runtime, with the modules that the bundlers of that runtime would choose. */
async function bundle(file: string, ...options: string[]): Promise<string> {
  const output = join(here, '.cache', file);
  await run(program('esbuild'), [join(here, file), '--bundle', '--format=esm', `--outfile=${output}`, ...options]);
  return output;
}

describe('the client, with nothing but fetch', () => {
  test.each([
    ['Node', process.execPath, []],
    ['Bun', program('bun'), ['run']],
    ['Deno', program('deno'), ['run', '--quiet', '--no-lock', '--allow-net', '--allow-read', '--allow-env']],
  ])('works in %s', async (runtime, file, args) => {
    const repository = `runtimes/${runtime.toLowerCase()}`;
    const { stdout } = await run(file, [...args, join(here, 'command.js'), registry.host, repository], { cwd: here });
    expect(JSON.parse(stdout)).toEqual(all);
  });

  test('works in workerd', async () => {
    await bundle('worker.js', '--conditions=workerd,worker,browser');
    // workerd prints its port on the file descriptor of --control-fd.
    const worker = start(program('workerd'), ['serve', join(here, 'worker.capnp'), '--control-fd=1'], { cwd: here });
    try {
      const port = await worker.said(/"port":(\d+)/);
      const query = new URLSearchParams({ host: registry.host, repository: 'runtimes/workerd' });
      const response = await fetch(`http://127.0.0.1:${port}/?${query.toString()}`);
      const text = await response.text();
      expect(response.status, text).toBe(200);
      expect(JSON.parse(text)).toEqual(all);
    } finally {
      await worker.stop();
    }
  });

  test('works in a browser', async () => {
    const page = await servePage(await readFile(await bundle('page.js', '--platform=browser')), registry.host);
    const profile = await mkdtemp(join(tmpdir(), 'ocikit-chromium-'));
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];
    flags.push('--disable-background-networking', '--disable-component-update', '--disable-sync');
    const args = [...flags, `--user-data-dir=${profile}`, `${page.url}/?repository=runtimes/browser`];
    const browser = start('chromium', args);
    try {
      const ended = browser.said(/(?!)/);
      expect(JSON.parse(await Promise.race([page.outcome, ended]))).toEqual(all);
    } finally {
      await browser.stop();
      page.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    }
  });
});
