// Runs the credential helpers of docker and podman: programs that print the credentials for a host.
import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

import type { Credential } from '../../../http/client/index.ts';

import type { Environment } from './docker-config.ts';

/** The result of a helper: a credential, `unknown` if it has none, or `no program` if it is not installed. */
export type HelperResult = { credential: Credential } | 'unknown' | 'no program';

/** Options for running helpers. */
export interface HelperOptions {
  /** The helper's environment. */
  env: Environment;
  /** Milliseconds that a helper may take. */
  timeout: number;
}

/** Bytes that a helper may print; more cannot be a credential. */
const maxOutput = 1024 * 1024;

/** The error texts of helpers that have no credential for a host. */
const notFound = ['credentials not found in native keychain', 'no credentials server URL', 'no credentials username'];
/** The user name that stands for a refresh token. */
const tokenUser = '<token>';

/**
 * Asks the program `docker-credential-NAME`, found by `PATH`, for the credential of a server. See "Development" of
 * docker-credential-helpers.
 *
 * @throws Error if the helper fails. The message does not show the output if that may contain a secret
 */
export async function askHelper(name: string, server: string, options: HelperOptions): Promise<HelperResult> {
  const program = `docker-credential-${name}`;
  // The name must not become the path of another program.
  if (!/^[\w.+-]+$/.test(name)) {
    throw new Error(
      `docker's configuration names ${JSON.stringify(name)}, which is not the name of a credential helper`,
    );
  }
  const result = await run(program, server, options);
  if (result === 'no program') return result;
  const { code, stdout, stderr } = result;
  if (code !== 0) {
    if (notFound.some((text) => `${stdout}\n${stderr}`.toLowerCase().includes(text.toLowerCase()))) return 'unknown';
    throw new Error(
      `${program} failed for ${server}: ${reasonIn(`${stdout}\n${stderr}`) ?? `it ended with status ${code}`}`,
    );
  }
  const printed = parseOutput(stdout);
  if (printed === undefined) throw new Error(`${program} gave no readable credentials for ${server}`);
  const { username, secret } = printed;
  if (secret === '' && username === '') return 'unknown';
  return { credential: username === tokenUser ? { refreshToken: secret } : { username, password: secret } };
}

interface Ended {
  code: number | string;
  stdout: string;
  stderr: string;
}

function run(program: string, input: string, { env, timeout }: HelperOptions): Promise<Ended | 'no program'> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], { env: { ...env }, stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true });
    const output = { stdout: '', stderr: '' };
    let size = 0;
    const fail = (why: string): void => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      // Its child processes may live on and hold the pipes open.
      child.stdout.destroy();
      child.stderr.destroy();
      child.stdin.destroy();
      child.unref();
      reject(new Error(`${program} ${why}`));
    };
    const timer = setTimeout(() => fail(`did not answer within ${timeout} ms`), timeout);
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (piece: string) => {
        size += piece.length;
        if (size > maxOutput) fail(`printed more than ${maxOutput} bytes`);
        else output[name] += piece;
      });
    }
    let started = true;
    child.on('error', (error: Error & { code?: string }) => {
      started = false;
      clearTimeout(timer);
      if (error.code !== 'ENOENT') {
        reject(error);
        return;
      }
      // Node reports the same for a script whose interpreter is missing, which is a failure.
      isOnPath(program, env).then(
        (found) =>
          found
            ? reject(new Error(`${program} cannot be run: its interpreter is not installed`))
            : resolve('no program'),
        reject,
      );
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (started) resolve({ code: code ?? signal ?? 'no status', ...output });
    });
    // Some helpers answer without reading their input.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

async function isOnPath(program: string, env: Environment): Promise<boolean> {
  for (const directory of (env['PATH'] ?? '').split(delimiter)) {
    try {
      await access(join(directory, program), constants.X_OK);
      return true;
    } catch {
      // Try the next directory.
    }
  }
  return false;
}

/** The helper's own message about its failure; undefined if it may contain a credential. */
function reasonIn(output: string): string | undefined {
  const text = output.trim().replaceAll(/\s+/g, ' ');
  return text === '' || /[{}]|\b(?:secret|password|username)\b['"]?\s*[:=]/i.test(text)
    ? undefined
    : text.slice(0, 300);
}

function parseOutput(stdout: string): { username: string; secret: string } | undefined {
  try {
    const parsed: unknown = JSON.parse(stdout);
    if (typeof parsed !== 'object' || parsed === null) return undefined;
    const username: unknown = Reflect.get(parsed, 'Username') ?? '';
    const secret: unknown = Reflect.get(parsed, 'Secret') ?? '';
    return typeof username === 'string' && typeof secret === 'string' ? { username, secret } : undefined;
  } catch {
    // The parser's message quotes the text, which is secret.
    return undefined;
  }
}
