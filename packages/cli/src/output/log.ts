// The log of `ocikit serve`, as lines for a person.
import type { Logger } from 'ocikit/server';

import { printable } from './results.ts';

/** A logger that writes one line for each message. */
export function lineLogger(write: (line: string) => void): Logger {
  const line = (mark: string, message: string, fields: Readonly<Record<string, unknown>>): void => {
    const time = new Date().toISOString().slice(11, 23);
    write(`${time} ${mark}${message === 'request' ? requestLine(fields) : eventLine(message, fields)}\n`);
  };
  return {
    info: (message, fields) => line('', message, fields),
    warn: (message, fields) => line('warning: ', message, fields),
    error: (message, fields) => line('error: ', message, fields),
  };
}

function requestLine(fields: Readonly<Record<string, unknown>>): string {
  const { method, path, query, status, milliseconds, bytes } = fields;
  const target = query === undefined ? text(path) : `${text(path)}?${text(query)}`;
  return `${text(status)} ${text(method)} ${target} ${formatBytes(Number(bytes))} ${text(milliseconds)} ms`;
}

function eventLine(message: string, { error, ...fields }: Readonly<Record<string, unknown>>): string {
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${text(value)}`);
  // Indent each line of a stack, so that none can pass for a line of the log.
  const story = error instanceof Error ? (error.stack ?? error.message).split('\n').map(text).join('\n    ') : '';
  const what = story === '' ? '' : `: ${story}`;
  return [message, ...rest].join(' ') + what;
}

/** The value as JSON; undefined if JSON cannot express it. */
function jsonOf(value: unknown): string | undefined {
  return JSON.stringify(value);
}

function text(value: unknown): string {
  const unescaped = typeof value === 'string' ? value : (jsonOf(value) ?? 'undefined');
  return printable(unescaped);
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** A number of bytes with a binary unit, such as `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  let unit = 0;
  let value = bytes;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ''}`;
}
