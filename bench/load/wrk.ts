// Load from wrk.
import { writeFile } from 'node:fs/promises';

import { run } from '../programs.ts';
import type { Load, LoopOptions } from './closed-loop.ts';
import type { Request } from './jobs.ts';

/** The summary that the script below lets wrk print at its end. */
interface WrkSummary {
  readonly requests: number;
  readonly microseconds: number;
  readonly connect: number;
  readonly read: number;
  readonly write: number;
  readonly status: number;
  readonly timeout: number;
}

/** Generates load with wrk, which counts each status of 400 or more as an error. It does not support HEAD. */
export async function askWithWrk(
  wrk: string,
  scriptFile: string,
  options: LoopOptions & Request & { readonly method: 'GET' },
): Promise<Load> {
  await writeFile(scriptFile, wrkScript(options));
  const args = [
    '--threads=1',
    `--connections=${options.connections}`,
    // wrk takes whole seconds only, so interrupt it: it then prints its summary and the duration.
    '--duration=10m',
    `--script=${scriptFile}`,
    `${options.secure === true ? 'https' : 'http'}://127.0.0.1:${options.port}`,
  ];
  // wrk does not stop in time for a shorter duration.
  const atLeast = 0.3;
  if (options.warmUp >= atLeast) await run(wrk, args, { interruptAfter: options.warmUp * 1000 });
  const { stdout } = await run(wrk, args, { interruptAfter: Math.max(atLeast, options.seconds) * 1000 });
  return parseWrk(stdout);
}

export function parseWrk(output: string): Load {
  const line = /^summary (\{.*\})$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`wrk printed no summary:\n${output}`);
  const { requests, microseconds, ...errors } = JSON.parse(line) as WrkSummary;
  const kinds = Object.entries(errors).filter(([, count]) => count > 0);
  const failures = kinds.reduce((sum, [, count]) => sum + count, 0);
  const firstError = failures === 0 ? {} : { firstError: kinds.map(([kind, n]) => `${n} × ${kind}`).join(', ') };
  // The load of wrk itself is unknown. The rows of the bare server show its limit.
  return { done: requests, seconds: microseconds / 1e6, busy: 0, errors: failures, ...firstError };
}

/** Returns a script in Lua. It builds all requests before it sends the first one. */
export function wrkScript({ paths, headers }: Pick<Request, 'paths' | 'headers'>): string {
  const pairs = headers.split('\r\n').filter((line) => line !== '');
  const table = pairs.map((line) => {
    const colon = line.indexOf(':');
    return `[${quote(line.slice(0, colon))}] = ${quote(line.slice(colon + 1).trim())}`;
  });
  return `local headers = { ${table.join(', ')} }
local paths = {
${paths.map((path) => `  ${quote(path)},`).join('\n')}
}
local requests = {}
local at = 0

function init()
  for i, path in ipairs(paths) do
    requests[i] = wrk.format('GET', path, headers)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary)
  local e = summary.errors
  print(string.format(
    'summary {"requests":%d,"microseconds":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}',
    summary.requests, summary.duration, e.connect, e.read, e.write, e.status, e.timeout))
end
`;
}

/** Returns a string in Lua. Unusual characters are written as numbers. */
function quote(text: string): string {
  const inner = text.replaceAll(/[^ !#-[\]-~]/g, (char) => `\\${String(char.charCodeAt(0)).padStart(3, '0')}`);
  return `"${inner}"`;
}
