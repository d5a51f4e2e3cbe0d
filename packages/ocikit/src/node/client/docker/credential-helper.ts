import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

import type { Credential } from '../../../http/client/index.ts';

import type { Environment } from './docker-config.ts';

/** What a helper said: a credential, that it has none, or that there is no such program. */
export type HelperResult = { credential: Credential } | 'unknown' | 'no program';

export interface HelperOptions {
  env: Environment;
  /** Milliseconds. */
  timeout: number;
}

/** Bytes of what a helper prints; more is no credential. */
const maxOutput = 1024 * 1024;

/** What helpers say, as an error, when they have nothing for a host; and as the user name of a refresh token. */
const notFound = 'credentials not found in native keychain';
const tokenUser = '<token>';

/**
 * Asks the program `docker-credential-NAME`, found by `PATH`, for what it keeps for a server. docker-credential-helpers,
 * "Development".
 *
 * @throws Error if it fails in any other way than by having none; without what it printed if that may be secret
 */
export async function askHelper(name: string, server: string, options: HelperOptions): Promise<HelperResult> {
  const program = `docker-credential-${name}`;
  // It must not become the path of another program.
  if (!/^[\w.+-]+$/.test(name)) throw new Error(`${JSON.stringify(name)} is not the name of a credential helper`);
  const result = await run(program, server, options);
  if (result === 'no program') return result;
  const { code, stdout, stderr } = result;
  if (code !== 0) {
    if (stdout.includes(notFound) || stderr.includes(notFound)) return 'unknown';
    throw new Error(`${program} failed for ${server}: ${reasonIn(`${stdout}\n${stderr}`) ?? `it ended with ${code}`}`);
  }
  const answer = parseAnswer(stdout);
  if (answer === undefined) throw new Error(`${program} gave no credentials for ${server} that can be read`);
  const { username, secret } = answer;
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
      // What it has started may live on and hold these.
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
      // The same is said of a script whose interpreter is missing: that is a failure.
      isOnPath(program, env).then(
        (found) =>
          found ? reject(new Error(`${program} cannot be run: its interpreter is missing`)) : resolve('no program'),
        reject,
      );
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (started) resolve({ code: code ?? signal ?? 'no status', ...output });
    });
    // Some answer without reading the question.
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
      // Not there: in the next one, perhaps.
    }
  }
  return false;
}

/** What a helper says of its failure, unless there may be a credential in it. */
function reasonIn(output: string): string | undefined {
  const text = output.trim().replaceAll(/\s+/g, ' ');
  return text === '' || /[{}]|\b(?:secret|password|username)\b['"]?\s*[:=]/i.test(text)
    ? undefined
    : text.slice(0, 300);
}

function parseAnswer(stdout: string): { username: string; secret: string } | undefined {
  try {
    const parsed: unknown = JSON.parse(stdout);
    if (typeof parsed !== 'object' || parsed === null) return undefined;
    const username: unknown = Reflect.get(parsed, 'Username') ?? '';
    const secret: unknown = Reflect.get(parsed, 'Secret') ?? '';
    return typeof username === 'string' && typeof secret === 'string' ? { username, secret } : undefined;
  } catch {
    // What a parser says quotes the text.
    return undefined;
  }
}
