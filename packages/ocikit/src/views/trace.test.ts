import { context, trace as openTelemetry } from '@opentelemetry/api';
import type { Tracer } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, beforeEach, describe, expect, expectTypeOf, test } from 'vitest';

import { collect, identityOf, RegistryError } from '../model/index.ts';
import type { Registry } from '../model/index.ts';
import { createMemoryRegistry } from '../stores/memory/index.ts';
import { methods } from '../testing/cases/index.ts';
import { imageOf, pushContent, randomBlob } from '../testing/index.ts';

import { trace } from './index.ts';
import type { TraceTracer } from './index.ts';

const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const tracer = provider.getTracer('test');
const manager = new AsyncLocalStorageContextManager();

beforeAll(() => {
  context.setGlobalContextManager(manager.enable());
});
afterAll(() => {
  context.disable();
});
beforeEach(() => exporter.reset());

const ended = (): ReadableSpan[] => exporter.getFinishedSpans();
const image = imageOf();
const { digest } = image.descriptor;

async function filled(): Promise<Registry> {
  const inside = createMemoryRegistry();
  await pushContent(inside, 'app', image, { tags: ['v1', 'v2', 'v3'] });
  return inside;
}

test('OpenTelemetry’s tracer fits the type of this package', () => {
  expectTypeOf<Tracer>().toExtend<TraceTracer>();
});

describe('each call is a span:', () => {
  test.each(methods)('$name', async ({ name, call }) => {
    const view = trace(await filled(), { tracer });
    const of = name.includes('lob') ? (image.blobs[0]?.descriptor.digest ?? digest) : digest;
    const error: unknown = await call(view, { repository: 'app', digest: of, tag: 'v1' }).then(
      () => undefined,
      (caught: unknown) => caught,
    );
    const [span, ...others] = ended();
    expect(others).toEqual([]);
    expect(span?.name).toBe(`registry.${name.split(' ')[0]}`);
    expect(span?.attributes['container.image.name']).toBe(name === 'repositories' ? undefined : 'app');
    expect(span?.status.code).toBe(error === undefined ? 0 : 2);
    expect(span?.attributes['error.type']).toBe(error === undefined ? undefined : (error as RegistryError).code);
  });
});

test('a span has attributes of the semantic conventions, as far as those have names', async () => {
  const view = trace(await filled(), { tracer });
  await view.resolveTag('app', 'v1', { context: { requestId: '7', identity: identityOf('alice') } });
  await view.resolveBlob('app', image.blobs[0]?.descriptor.digest ?? digest);
  await view.pushManifest('app', image.bytes, image.mediaType, { tags: ['v3', 'v4'] });
  expect(ended().map(({ attributes }) => attributes)).toEqual([
    {
      'container.image.name': 'app',
      'container.image.tags': ['v1'],
      'oci.manifest.digest': digest,
      'ocikit.size': image.bytes.length,
      'ocikit.request.id': '7',
    },
    {
      'container.image.name': 'app',
      'ocikit.blob.digest': image.blobs[0]?.descriptor.digest,
      'ocikit.size': image.blobs[0]?.bytes.length,
    },
    {
      'container.image.name': 'app',
      'container.image.tags': ['v3', 'v4'],
      'oci.manifest.digest': digest,
      'ocikit.size': image.bytes.length,
    },
  ]);
});

test('names of callers are cut to a bounded length, and hold no secrets', async () => {
  const view = trace(createMemoryRegistry(), { tracer });
  await expect(view.resolveTag('https://u:hunter2@h/', 'x'.repeat(10_000))).rejects.toThrow();
  const tags = Array.from({ length: 1000 }, (_, i) => `t${i}`);
  await expect(view.pushManifest('app', new Uint8Array(1), 'x', { tags })).rejects.toThrow();
  const told = ended().map(({ attributes }) => JSON.stringify(attributes));
  for (const text of told) expect(text.length).toBeLessThan(1000);
  expect(told.join()).not.toContain('hunter2');
});

test('an error is recorded, without secrets', async () => {
  const inside = await filled();
  const failing: Registry = {
    ...inside,
    resolveTag: () =>
      Promise.reject(new RegistryError('UNAVAILABLE', 'GET https://u:hunter2@r.example/?t=hunter2 failed')),
  };
  await expect(trace(failing, { tracer }).resolveTag('app', 'v1')).rejects.toThrow('hunter2');
  const [span] = ended();
  expect(span?.status).toEqual({ code: 2, message: 'GET https://r.example/?… failed' });
  expect(span?.events[0]).toMatchObject({ name: 'exception', attributes: { 'exception.type': 'UNAVAILABLE' } });
  expect(JSON.stringify([span?.events, span?.attributes, span?.status])).not.toContain('hunter2');
});

describe('the span of a blob ends', () => {
  const { descriptor, bytes } = randomBlob(10_000);
  const opened = async (signal?: AbortSignal): Promise<Awaited<ReturnType<Registry['getBlob']>>> => {
    const inside = createMemoryRegistry();
    await inside.pushBlob('app', descriptor, bytes);
    return trace(inside, { tracer }).getBlob('app', descriptor.digest, { signal });
  };

  test('when it has been read, and not when it can be read', async () => {
    const content = await opened();
    expect(ended()).toHaveLength(0);
    await content.readInto(new Uint8Array(100));
    expect(ended()).toHaveLength(0);
    await content.readInto(new Uint8Array(10_000));
    expect(ended()[0]?.attributes).toMatchObject({ 'ocikit.bytes': 10_000, 'ocikit.complete': true });
    await content.cancel();
    expect(ended()).toHaveLength(1);
  });

  test('when its reader cancels it', async () => {
    await using content = await opened();
    await content.readInto(new Uint8Array(100));
    await content.cancel();
    expect(ended()[0]?.attributes).toMatchObject({ 'ocikit.bytes': 100, 'ocikit.complete': false });
  });

  test('when reading it fails', async () => {
    const controller = new AbortController();
    const content = await opened(controller.signal);
    controller.abort(new RegistryError('UNAVAILABLE', 'gone'));
    await expect(content.bytes()).rejects.toThrow('gone');
    expect(ended()[0]?.attributes['error.type']).toBe('UNAVAILABLE');
  });
});

test('the span of a list ends when the list has been read, or its reader stops', async () => {
  const view = trace(await filled(), { tracer });
  await collect(view.tags('app'));
  for await (const tag of view.tags('app')) {
    expect(ended()).toHaveLength(1);
    if (tag === 'v2') break;
  }
  expect(ended().map(({ attributes }) => [attributes['ocikit.items'], attributes['ocikit.complete']])).toEqual([
    [3, true],
    [2, false],
  ]);
});

test('spans that are made inside a call are children of its span, which is a child of the caller’s', async () => {
  const inside = await filled();
  const view = trace(trace(inside, { tracer }), { tracer });
  await tracer.startActiveSpan('caller', async (span) => {
    await view.resolveTag('app', 'v1');
    await collect(view.tags('app'));
    await (await view.getBlob('app', image.blobs[0]?.descriptor.digest ?? digest)).bytes();
    span.end();
  });
  const spans = ended();
  const caller = spans.at(-1);
  const parentOf = (span: ReadableSpan): string | undefined =>
    spans.find((each) => each.spanContext().spanId === span.parentSpanContext?.spanId)?.name;
  expect(caller?.name).toBe('caller');
  expect(spans.slice(0, -1).map((span) => [span.name, parentOf(span)])).toEqual([
    ['registry.resolveTag', 'registry.resolveTag'],
    ['registry.resolveTag', 'caller'],
    ['registry.tags', 'registry.tags'],
    ['registry.tags', 'caller'],
    ['registry.getBlob', 'registry.getBlob'],
    ['registry.getBlob', 'caller'],
  ]);
});

test('the steps of an upload are spans, with the number of the upload instead of its id', async () => {
  const view = trace(createMemoryRegistry(), { tracer });
  const { descriptor, bytes } = randomBlob(10);
  const upload = await view.startUpload('app');
  await upload.append(bytes);
  const { id } = upload;
  await (await view.resumeUpload('app', id)).commit(descriptor.digest);
  expect(ended().map(({ name, attributes }) => [name, attributes['ocikit.upload']])).toEqual([
    ['registry.startUpload', 1],
    ['registry.upload.append', 1],
    ['registry.resumeUpload', 1],
    ['registry.upload.commit', 1],
  ]);
  expect(JSON.stringify(ended().map(({ attributes }) => attributes))).not.toContain(id);
});

test('a tracer without an SDK, which records nothing, changes nothing', async () => {
  const view = trace(await filled(), { tracer: openTelemetry.getTracer('none') });
  expect((await view.resolveTag('app', 'v1')).digest).toBe(digest);
  expect(await collect(view.tags('app'))).toHaveLength(3);
});
