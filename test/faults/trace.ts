// The system calls of a server, by strace.

/** A system call in the output of strace. */
export interface Call {
  name: string;
  /** The file of its descriptor, or the opened file. */
  path: string;
  /** The new name, for a rename. */
  from: string;
  to: string;
  /** The first written bytes. */
  text: string;
  /** Positions in the order of all calls. */
  start: number;
  end: number;
  /** The line of the output. */
  line: string;
}

const names =
  'openat,write,writev,pwrite64,pwritev,sendto,sendmsg,fdatasync,fsync,sync,sync_file_range,rename,renameat,renameat2';

/** Returns the command prefix that traces the calls of a server into a file. The server keeps its process id. */
export function traced(file: string): string[] {
  return ['strace', '-f', '-D', '-qq', '-y', '-s', '1000', '-o', file, '-e', `trace=${names}`, '-e', 'signal=none'];
}

/** Returns the successful calls, in the order of their ends. */
export function readTrace(text: string): Call[] {
  const calls: Call[] = [];
  const unfinished = new Map<string, { start: number; begun: string }>();
  for (const [position, full] of text.split('\n').entries()) {
    const [, pid = '', line = ''] = /^([0-9]+) +(.*)$/.exec(full) ?? [];
    const begun = /^(.*) <unfinished \.\.\.>$/.exec(line)?.[1];
    if (begun !== undefined) {
      unfinished.set(pid, { start: position, begun });
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(line)?.[1];
    const earlier = resumed === undefined ? undefined : unfinished.get(pid);
    const call = readCall(earlier === undefined ? line : `${earlier.begun}${resumed ?? ''}`);
    if (call !== undefined) calls.push({ ...call, start: earlier?.start ?? position, end: position });
  }
  return calls;
}

function readCall(line: string): Omit<Call, 'start' | 'end'> | undefined {
  const [, name, args, result] = /^(\w+)\((.*)\) += (-?[0-9]+)/.exec(line) ?? [];
  if (name === undefined || args === undefined || Number(result) < 0) return undefined;
  const strings = [...args.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, string = '']) => unescape(string));
  const [from = '', to = ''] = name.startsWith('rename') ? strings : [];
  const descriptor = /^[0-9]+<([^>]*)>/.exec(args)?.[1];
  const path = name === 'openat' ? (strings[0] ?? '') : (descriptor ?? '');
  return { name, path, from, to, text: name === 'openat' ? '' : strings.join(''), line };
}

function unescape(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, char: string) => ({ n: '\n', r: '\r', t: '\t' })[char] ?? char);
}
