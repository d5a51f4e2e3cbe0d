// A view with an OpenTelemetry span for each call.
import type { Registry } from '../model/index.ts';

import { kindOf, observe, redacted } from './shared/index.ts';
import type { ObservedCall, ObservedResult } from './shared/index.ts';

/** The value of a span's attribute: the part of OpenTelemetry's `AttributeValue` that is used here. */
export type TraceAttribute = string | number | boolean | string[];

/** The part of OpenTelemetry's `Span` that is used here. */
export interface TraceSpan {
  /** Sets an attribute. */
  setAttribute(key: string, value: TraceAttribute): unknown;
  /** Sets the status; the code is OpenTelemetry's `SpanStatusCode`. */
  setStatus(status: { code: number; message?: string }): unknown;
  /** Adds an error. */
  recordException(exception: { name: string; message: string; code: string }): void;
  /** Ends the span. */
  end(): void;
}

/**
 * The part of OpenTelemetry's `Tracer` that is used here. The tracer of `@opentelemetry/api` 1.9 and later fits. The
 * types of this package do not need that package.
 */
export interface TraceTracer {
  /** Starts a span, and runs the function with it as the active span. */
  startActiveSpan<T>(
    name: string,
    options: { attributes: Record<string, TraceAttribute> },
    run: (span: TraceSpan) => T,
  ): T;
}

/** How {@link trace} makes spans. */
export interface TraceOptions {
  /** Makes the spans. */
  tracer: TraceTracer;
}

const mostTags = 20;
const longestText = 300;

/** `SpanStatusCode.ERROR` of `@opentelemetry/api`. */
const failedStatus = 2;

/**
 * The unchanged registry with an OpenTelemetry span for each call. Spans that are made during the call, such as a
 * client's requests, are children of its span. The span of a blob ends when the blob has been read, the span of a list
 * when the list has ended.
 *
 * Spans are named `registry.METHOD`. These attributes follow the semantic conventions: `container.image.name` (the
 * repository), `container.image.tags`, `oci.manifest.digest` and `error.type` (the error's code). The conventions have
 * no names for these: `ocikit.blob.digest`, `ocikit.size`, `ocikit.bytes`, `ocikit.items`, `ocikit.complete`,
 * `ocikit.upload`, `ocikit.outcome`, `ocikit.mount.from` and `ocikit.request.id`.
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
        // Later steps of a call, such as the next item of a list, run in the context of their caller.
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

/** The semantic conventions have a name for the digests of manifests only. */
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

/** Callers choose names freely, at any length. */
function bounded(value: TraceAttribute): TraceAttribute {
  if (typeof value === 'string') return redacted(value, longestText);
  return Array.isArray(value) ? value.map((each) => redacted(each, longestText)) : value;
}
