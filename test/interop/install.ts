// The global set-up of vitest: installs missing clients if it may.
import { rm } from 'node:fs/promises';

import {
  clientNames,
  clients,
  goBinaries,
  locate,
  nothingMayBeSkipped,
  orasEnvironment,
  whyMissing,
} from './clients.ts';
import type { ClientName } from './clients.ts';
import { run } from './run.ts';

/** True with `OCIKIT_INTEROP_INSTALL=1` or `CI=true`: missing clients may be installed on this machine. */
const mayInstall = nothingMayBeSkipped || process.env['OCIKIT_INTEROP_INSTALL'] === '1';
const minutes = 60_000;

/** Installs missing clients if it may, and prints which clients will be tested. */
export async function setup(): Promise<void> {
  const lines: string[] = [];
  if (mayInstall) lines.push(...(await installMissing()));
  for (const name of clientNames) lines.push(`  ${name.padEnd(16)}${await presence(name)}`);
  process.stdout.write(`\nClients:\n${lines.join('\n')}\n\n`);
}

async function presence(name: ClientName): Promise<string> {
  const reason = await whyMissing(name);
  if (reason !== undefined) return nothingMayBeSkipped ? `MISSING: ${reason}` : `skipped: ${reason}`;
  const { programs, version } = clients[name];
  const path = (await locate(programs[0])) ?? programs[0];
  try {
    const { stdout } = await run(path, version);
    return `${stdout.trim().replaceAll(/\s+/g, ' ')} (${path})`;
  } catch (error) {
    return `DOES NOT RUN: ${messageOf(error)}`;
  }
}

/** Installs missing clients. Returns the failures; the tests of such a client fail or are skipped by themselves. */
async function installMissing(): Promise<string[]> {
  const problems: string[] = [];
  const attempt = async (what: string, install: () => Promise<void>): Promise<void> => {
    try {
      await install();
    } catch (error) {
      problems.push(`  could not install ${what}: ${messageOf(error)}`);
    }
  };

  const packages: string[] = [];
  for (const name of clientNames) {
    const { from, programs } = clients[name];
    const found = await Promise.all(programs.map(locate));
    if (!found.includes(undefined)) continue;
    if ('apt' in from) packages.push(from.apt);
    if ('go' in from) await attempt(name, () => installWithGo(from.go));
    if ('pip' in from) await attempt(name, () => installWithPip(from.pip));
  }
  if (packages.length > 0) await attempt(packages.join(', '), () => installWithApt(packages));
  return problems;
}

async function installWithApt(packages: readonly string[]): Promise<void> {
  if ((await locate('apt-get')) === undefined) throw new Error('there is no apt-get');
  if (process.getuid?.() !== 0) throw new Error('apt-get needs root');
  // In runlevel 1 a package does not start its service: the tests start their own daemon.
  const env = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  await run('apt-get', ['update'], { env, timeout: 3 * minutes });
  await run('apt-get', ['install', '--yes', '--no-install-recommends', ...packages], { env, timeout: 6 * minutes });
}

async function installWithGo(module: string): Promise<void> {
  await run('go', ['install', module], { env: { GOBIN: goBinaries }, timeout: 5 * minutes });
}

async function installWithPip(project: string): Promise<void> {
  if (!(await canMakeEnvironments('python3'))) await installWithApt(['python3-venv']);
  // Debian's package belongs to Debian's Python, which may not be the first one in PATH.
  const python = (await canMakeEnvironments('python3')) ? 'python3' : '/usr/bin/python3';
  await run(python, ['-m', 'venv', orasEnvironment]);
  try {
    const pip = ['-m', 'pip', 'install', '--quiet', project];
    await run(`${orasEnvironment}/bin/python`, pip, { timeout: 3 * minutes });
  } catch (error) {
    // Remove an environment without the library: the next run would take it for an installed client.
    await rm(orasEnvironment, { recursive: true, force: true });
    throw error;
  }
}

async function canMakeEnvironments(python: string): Promise<boolean> {
  try {
    await run(python, ['-c', 'import venv, ensurepip']);
    return true;
  } catch {
    return false;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
