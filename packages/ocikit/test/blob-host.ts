// A registry with one blob, whose answers a test can change.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

import { parseRanges } from '../src/http/wire/index.ts';
import { resolveRange } from '../src/model/index.ts';
import type { Descriptor, ResolvedRange } from '../src/model/index.ts';

import { listen } from './listen.ts';
import { writePiece } from './write-piece.ts';

/** A request for the blob. */
export interface HostedRequest {
  /** Its number in the order of arrival, from 1 on. */
  number: number;
  /** Such as `GET`. */
  method: string;
  /** The range that its `Range` asks for; undefined for the whole blob. */
  range: ResolvedRange | undefined;
}

/** An answer of the host. */
export interface HostedAnswer {
  /** The HTTP status. */
  status: number;
  /** By names in lower case. */
  headers: Record<string, string>;
  /** All bytes of the body. */
  body: Uint8Array;
  /** Bytes of the body after which the connection ends. Default: it stays. */
  cutAfter?: number;
  /** Bytes per second. Default: no limit. */
  speed?: number;
}

/** A registry with one blob. It answers by the specification, except for the changes of a test. */
export interface BlobHost {
  /** `HOST:PORT` */
  host: string;
  /** In order of arrival. */
  requests: HostedRequest[];
  /** Bytes of all bodies that were sent. */
  sent: number;
}

/**
 * Serves a blob for as long as the test runs.
 *
 * @param change gives the answer to send, of the right one. Default: the right one
 */
export async function hostBlob(
  { descriptor, bytes }: { descriptor: Descriptor; bytes: Uint8Array },
  change: (answer: HostedAnswer, request: HostedRequest) => HostedAnswer = (answer) => answer,
): Promise<BlobHost> {
  const hosted: BlobHost = { host: '', requests: [], sent: 0 };
  hosted.host = await listen((message, response) => {
    const range = rangeOf(message, bytes.length);
    const request = { number: hosted.requests.length + 1, method: message.method ?? '', range };
    hosted.requests.push(request);
    const answer = change(rightAnswer(descriptor, bytes, request), request);
    send(request, answer, response, (count) => {
      hosted.sent += count;
    }).catch(() => response.destroy());
  });
  return hosted;
}

function rangeOf(message: IncomingMessage, size: number): ResolvedRange | undefined {
  const { range } = message.headers;
  const parsed = range === undefined ? undefined : parseRanges(range);
  return parsed?.length === 1 ? resolveRange(parsed[0], size) : undefined;
}

function rightAnswer({ digest }: Descriptor, bytes: Uint8Array, { range }: HostedRequest): HostedAnswer {
  const headers = {
    'docker-content-digest': digest,
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
  };
  const size = bytes.length;
  if (range === undefined) return { status: 200, headers: { ...headers, 'content-length': `${size}` }, body: bytes };
  if (range.start === range.end) {
    return {
      status: 416,
      headers: { 'content-range': `bytes */${size}`, 'content-length': '0' },
      body: new Uint8Array(),
    };
  }
  const body = bytes.subarray(range.start, range.end);
  const contentRange = `bytes ${range.start}-${range.end - 1}/${size}`;
  return {
    status: 206,
    headers: { ...headers, 'content-length': `${body.length}`, 'content-range': contentRange },
    body,
  };
}

async function send(
  { method }: HostedRequest,
  { status, headers, body, cutAfter, speed }: HostedAnswer,
  response: ServerResponse,
  onSent: (count: number) => void,
): Promise<void> {
  response.writeHead(status, headers);
  if (method === 'HEAD') {
    response.end();
    return;
  }
  response.flushHeaders();
  const end = Math.min(body.length, cutAfter ?? body.length);
  const step = speed === undefined ? 256 * 1024 : Math.max(1, Math.min(256 * 1024, Math.floor(speed / 20)));
  for (let at = 0; at < end; at += step) {
    const piece = body.subarray(at, Math.min(at + step, end));
    if (response.destroyed) return;
    await writePiece(response, piece);
    onSent(piece.length);
    if (speed !== undefined) await delay((piece.length * 1000) / speed);
  }
  if (cutAfter === undefined) response.end();
  else response.destroy();
}

/** The answer without a header. */
export function withoutHeader(answer: HostedAnswer, name: string): HostedAnswer {
  return { ...answer, headers: Object.fromEntries(Object.entries(answer.headers).filter(([key]) => key !== name)) };
}

/** The answer without its length: the body comes in HTTP's chunks. */
export function withoutLength(answer: HostedAnswer): HostedAnswer {
  return withoutHeader(answer, 'content-length');
}
