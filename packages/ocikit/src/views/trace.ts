import type { Registry } from '../model/index.ts';

import { kindOf, observe, redacted } from './shared/index.ts';
import type { ObservedCall, ObservedResult } from './shared/index.ts';

/** What an attribute of a span may be: OpenTelemetry's `AttributeValue`, as far as it is used here. */
export type TraceAttribute = string | number | boolean | string[];

/** What is used of OpenTelemetry's `Span`. */
export interface TraceSpan {
  setAttribute(key: string, value: TraceAttribute): unknown;
  setStatus(status: { code: number; message?: string }): unknown;
  recordException(exception: { name: string; message: string; code: string }): void;
  end(): void;
}

/**
 * What is used of OpenTelemetry's `Tracer`: that of `@opentelemetry/api` 1.9 and later is one. Nothing of that package has to
 * be installed for the types of this one.
 */
export interface TraceTracer {
  startActiveSpan<T>(
    name: string,
    options: { attributes: Record<string, TraceAttribute> },
    run: (span: TraceSpan) => T,
  ): T;
}

export interface TraceOptions {
  tracer: TraceTracer;
}

const mostTags = 20;
const longestText = 300;

/** `SpanStatusCode.ERROR` of `@opentelemetry/api`. */
const failedStatus = 2;

/**
 * The registry as it is, with an OpenTelemetry span for every call. What a call does meanwhile, as the requests of a client, is
 * below its span. The span of a blob ends when the blob has been read, that of a list when it has ended.
 *
 * Spans are named `registry.METHOD`. Attributes: `container.image.name` (the repository), `container.image.tags`,
 * `oci.manifest.digest` and `error.type` (the error's code) as the semantic conventions have them; `ocikit.blob.digest`,
 * `ocikit.size`, `ocikit.bytes`, `ocikit.items`, `ocikit.complete`, `ocikit.upload`, `ocikit.outcome`, `ocikit.mount.from` and
 * `ocikit.request.id` where they have none.
 *
 * @example
 * import { trace as openTelemetry } from '@opentelemetry/api';
 *
 * const traced = trace(registry, { tracer: openTelemetry.getTracer('registry') });
 */
export function trace(registry: Registry, { tracer }: TraceOptions): Registry {
  return observe(registry, (call) => {
    let span: TraceSpan | undefined;
    let hasEnded = false;
    const end = (last: (of: TraceSpan) => void): void => {
      if (hasEnded || span === undefined) return;
      hasEnded = true;
      last(span);
      span.end();
    };
    return {
      run(run) {
        // Later steps of the same call, as the next item of a list, are in the context of whoever takes them.
        if (span !== undefined) return run();
        return tracer.startActiveSpan(`registry.${call.method}`, { attributes: attributesOf(call) }, (started) => {
          span = started;
          return run();
        });
      },
      opened: (result) => setResult(span, call, result),
      ended: (result) => end((of) => setResult(of, call, result)),
      failed: (error) =>
        end((of) => {
          const message = redacted(error instanceof Error ? error.message : String(error));
          const code = kindOf(error);
          of.setAttribute('error.type', code);
          of.recordException({ name: error instanceof Error ? error.name : 'Error', message, code });
          of.setStatus({ code: failedStatus, message });
        }),
    };
  });
}

function attributesOf(call: ObservedCall): Record<string, TraceAttribute> {
  const { method, repository, digest, tag, tags = [], size, upload, from, requestId } = call;
  const named = [...(tag === undefined ? [] : [tag]), ...tags].slice(0, mostTags);
  return defined({
    'container.image.name': repository,
    'container.image.tags': named.length === 0 ? undefined : named,
    [digestKey(method)]: digest,
    'ocikit.size': size,
    'ocikit.upload': upload,
    'ocikit.mount.from': from,
    'ocikit.request.id': requestId,
  });
}

function setResult(span: TraceSpan | undefined, { method }: ObservedCall, result: ObservedResult): void {
  const attributes = defined({
    [digestKey(method)]: result.digest,
    'ocikit.size': result.size,
    'ocikit.bytes': result.bytes,
    'ocikit.items': result.items,
    'ocikit.complete': result.complete,
    'ocikit.upload': result.upload,
    'ocikit.outcome': result.outcome,
  });
  for (const [key, value] of Object.entries(attributes)) span?.setAttribute(key, value);
}

/** The semantic conventions have a word for the digests of manifests only. */
function digestKey(method: string): string {
  return /manifest|tag|referrers/i.test(method) ? 'oci.manifest.digest' : 'ocikit.blob.digest';
}

function defined(attributes: Record<string, TraceAttribute | undefined>): Record<string, TraceAttribute> {
  return Object.fromEntries(
    Object.entries(attributes).flatMap(([key, value]): [string, TraceAttribute][] =>
      value === undefined ? [] : [[key, bounded(value)]],
    ),
  );
}

/** Callers may call things what they like, and at any length. */
function bounded(value: TraceAttribute): TraceAttribute {
  if (typeof value === 'string') return redacted(value, longestText);
  return Array.isArray(value) ? value.map((each) => redacted(each, longestText)) : value;
}
