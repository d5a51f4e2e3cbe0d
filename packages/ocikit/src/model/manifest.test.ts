import { describe, expect, test } from 'vitest';

import type { Descriptor } from './descriptor.ts';
import { digestOf } from './digest.ts';
import { RegistryError } from './errors.ts';
import { manifestMediaTypes } from './manifest-media-types.ts';
import { linksOf, parseManifest, referrerDescriptor } from './manifest.ts';
import { mediaTypes } from './media-types.ts';
import { assertStrictMediaTypes } from './strict-media-types.ts';

type Json = Record<string, unknown>;

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const parse = (document: unknown, mediaType: string): ReturnType<typeof parseManifest> =>
  parseManifest(encode(JSON.stringify(document)), mediaType);

function descriptor(text: string, fields: Json = {}): Descriptor & Json {
  return { mediaType: mediaTypes.octetStream, digest: digestOf(encode(text)), size: text.length, ...fields };
}

const image = (fields: Json = {}): Json => ({
  schemaVersion: 2,
  mediaType: mediaTypes.imageManifest,
  config: descriptor('config', { mediaType: mediaTypes.imageConfig }),
  layers: [descriptor('layer 0'), descriptor('layer 1')],
  ...fields,
});
const index = (fields: Json = {}): Json => ({
  schemaVersion: 2,
  mediaType: mediaTypes.imageIndex,
  manifests: [
    descriptor('manifest 0', { mediaType: mediaTypes.imageManifest, platform: { os: 'linux', architecture: 'amd64' } }),
  ],
  ...fields,
});
const artifact = (fields: Json = {}): Json => ({
  mediaType: mediaTypes.artifactManifest,
  artifactType: 'application/vnd.example.sbom',
  blobs: [descriptor('blob 0')],
  ...fields,
});

/** The error of a manifest that has to be refused. */
function errorOf(document: unknown, mediaType: string): RegistryError {
  try {
    parse(document, mediaType);
  } catch (error) {
    if (error instanceof RegistryError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('a manifest of each kind', () => {
  test.each([
    ['image', mediaTypes.imageManifest, image()],
    ['image', mediaTypes.dockerManifest, image({ mediaType: mediaTypes.dockerManifest })],
    ['index', mediaTypes.imageIndex, index()],
    ['index', mediaTypes.dockerManifestList, index({ mediaType: mediaTypes.dockerManifestList })],
    ['artifact', mediaTypes.artifactManifest, artifact()],
  ])('an %s of type %s is accepted as it is', (kind, mediaType, document) => {
    expect(parse(document, mediaType)).toEqual({ kind, mediaType, manifest: document });
  });

  test.each([
    ['image', mediaTypes.imageManifest, image],
    ['image', mediaTypes.dockerManifest, image],
    ['index', mediaTypes.imageIndex, index],
    ['index', mediaTypes.dockerManifestList, index],
    ['artifact', mediaTypes.artifactManifest, artifact],
  ] as const)('the %s without mediaType is one of %s, as which it was pushed', (kind, mediaType, make) => {
    expect(parse(make({ mediaType: undefined }), mediaType)).toMatchObject({ kind, mediaType });
    // It is still looked into.
    expect(errorOf(make({ mediaType: undefined, subject: 1 }), mediaType).code).toBe('MANIFEST_INVALID');
  });

  test('is one of the five that are listed', () => {
    expect(manifestMediaTypes.toSorted()).toEqual(
      [
        mediaTypes.imageManifest,
        mediaTypes.imageIndex,
        mediaTypes.artifactManifest,
        mediaTypes.dockerManifest,
        mediaTypes.dockerManifestList,
      ].toSorted(),
    );
  });

  test.each(['', 'application/json', mediaTypes.imageConfig, mediaTypes.imageManifest.toUpperCase(), 'toString'])(
    'cannot be pushed as %j',
    (mediaType) => {
      const error = errorOf(image({ mediaType: undefined }), mediaType);
      expect(error.code).toBe('UNSUPPORTED_MEDIA_TYPE');
      expect(error.message).toContain(mediaTypes.imageIndex);
    },
  );

  test('keeps fields that the specification does not know, wherever they are', () => {
    const document = image({
      'x-of-mine': { a: [1, null] },
      config: descriptor('config', { 'x-of-mine': true }),
      subject: descriptor('subject', { 'x-of-mine': 'too' }),
    });
    expect(parse(document, mediaTypes.imageManifest).manifest).toEqual(document);
  });

  test('may have no layers, no entries, no blobs', () => {
    for (const layers of [undefined, []]) {
      expect(linksOf(parse(image({ layers }), mediaTypes.imageManifest)).blobs).toHaveLength(1);
    }
    for (const manifests of [undefined, []]) {
      expect(linksOf(parse(index({ manifests }), mediaTypes.imageIndex)).manifests).toEqual([]);
    }
    for (const blobs of [undefined, []]) {
      expect(linksOf(parse(artifact({ blobs }), mediaTypes.artifactManifest)).blobs).toEqual([]);
    }
  });

  test('has null for what is not there, as Go programs write it', () => {
    const bare = { urls: null, annotations: null, data: null, platform: null, artifactType: null };
    const nothing = { subject: null, annotations: null, artifactType: null };
    const empty = parse(
      image({ ...nothing, mediaType: null, manifests: null, layers: [descriptor('layer', bare)] }),
      mediaTypes.imageManifest,
    );
    expect(linksOf(empty)).toStrictEqual({
      blobs: [descriptor('config', { mediaType: mediaTypes.imageConfig }), descriptor('layer')],
      manifests: [],
      subject: undefined,
    });
    expect(linksOf(parse(image({ layers: null }), mediaTypes.imageManifest)).blobs).toHaveLength(1);
    const none = index({ ...nothing, manifests: null, config: null, layers: null });
    expect(linksOf(parse(none, mediaTypes.imageIndex)).manifests).toEqual([]);
    expect(linksOf(parse(artifact({ blobs: null, subject: null }), mediaTypes.artifactManifest)).blobs).toEqual([]);
  });

  test('may have descriptors with everything that a descriptor may have', () => {
    const full = descriptor('layer', {
      urls: ['https://example.com/layer'],
      annotations: { 'org.example.key': '', '': 'x' },
      data: 'bGF5ZXI=',
      platform: { os: 'windows', architecture: 'arm', variant: 'v7', 'os.version': '10', 'os.features': ['win32k'] },
      artifactType: 'application/vnd.example',
    });
    expect(linksOf(parse(image({ layers: [full] }), mediaTypes.imageManifest)).blobs[1]).toEqual(full);
  });

  test('may have a platform of which parts are missing', () => {
    const { manifest } = parse(index({ manifests: [descriptor('a', { platform: {} })] }), mediaTypes.imageIndex);
    expect(manifest).toMatchObject({ manifests: [{ platform: {} }] });
  });

  test('may have descriptors of sha512', () => {
    const config = descriptor('config', { digest: digestOf(encode('config'), 'sha512') });
    expect(linksOf(parse(image({ config }), mediaTypes.imageManifest)).blobs[0]?.digest).toBe(config.digest);
  });
});

describe('bytes that are not a manifest', () => {
  test.each([
    ['nothing', new Uint8Array()],
    ['no JSON', encode('<html>')],
    ['half of it', encode(JSON.stringify(image()).slice(0, -1))],
    ['something behind it', encode(`${JSON.stringify(image())}x`)],
    ['a byte order mark before it', encode(`\uFEFF${JSON.stringify(image())}`)],
    ['bytes that are no UTF-8', Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)],
  ])('are refused if they are not JSON: %s', (_what, bytes) => {
    expect(() => parseManifest(bytes, mediaTypes.imageManifest)).toThrow(
      expect.objectContaining({ code: 'MANIFEST_INVALID', message: 'the manifest is not JSON in UTF-8' }),
    );
  });

  test.each([null, 1, 'x', true, [], [image()]])('are refused if they are not an object: %j', (document) => {
    const error = errorOf(document, mediaTypes.imageManifest);
    expect(error).toMatchObject({ code: 'MANIFEST_INVALID', message: 'the manifest is not a JSON object' });
  });

  test('are refused if their fields are hidden in a prototype', () => {
    const text = `{"schemaVersion":2,"__proto__":${JSON.stringify(image())}}`;
    expect(() => parseManifest(encode(text), mediaTypes.imageManifest)).toThrow("the manifest's config is missing");
  });
});

const digest = digestOf(encode('x'));
const long = 'a'.repeat(256);
const none = undefined;

/** A fault of a descriptor, the descriptor, and the field that the error has to name. */
const malformedDescriptors: [string, unknown, string][] = [
  ['is a text', 'x', ''],
  ['is a list', [], ''],
  ['is true', true, ''],
  ['has no mediaType', { digest, size: 1 }, '.mediaType'],
  ['has null for mediaType', descriptor('x', { mediaType: null }), '.mediaType'],
  ['has a number for mediaType', descriptor('x', { mediaType: 1 }), '.mediaType'],
  ['has a line break in mediaType', descriptor('x', { mediaType: 'text/plain\r\nx: y' }), '.mediaType'],
  ['has an overlong mediaType', descriptor('x', { mediaType: `a/${long}` }), '.mediaType'],
  ['has a number for artifactType', descriptor('x', { artifactType: 1 }), '.artifactType'],
  ['has a control character in artifactType', descriptor('x', { artifactType: 'sbom\u0000' }), '.artifactType'],
  ['has no digest', { mediaType: 'a/b', size: 1 }, '.digest'],
  ['has a number for digest', descriptor('x', { digest: 1 }), '.digest'],
  ['has an empty digest', descriptor('x', { digest: '' }), '.digest'],
  ['has a digest that is too short', descriptor('x', { digest: 'sha256:00' }), '.digest'],
  ['has an upper-case digest', descriptor('x', { digest: digest.toUpperCase() }), '.digest'],
  ['has a digest of md5', descriptor('x', { digest: 'md5:9dd4e461268c8034f5c8564e155c67a6' }), '.digest'],
  ['has no size', { mediaType: 'a/b', digest }, '.size'],
  ['has a text for size', descriptor('x', { size: '1' }), '.size'],
  ['has a negative size', descriptor('x', { size: -1 }), '.size'],
  ['has half a byte', descriptor('x', { size: 0.5 }), '.size'],
  ['has a size that no number holds', descriptor('x', { size: 2 ** 53 }), '.size'],
  ['has null for size', descriptor('x', { size: null }), '.size'],
  ['has a text for urls', descriptor('x', { urls: 'https://example.com' }), '.urls'],
  ['has a number among urls', descriptor('x', { urls: ['https://example.com', 1] }), '.urls'],
  ['has a number for data', descriptor('x', { data: 1 }), '.data'],
  ['has a list for annotations', descriptor('x', { annotations: [] }), '.annotations'],
  ['has a number among annotations', descriptor('x', { annotations: { a: 'b', c: 1 } }), '.annotations["c"]'],
  ['has null among annotations', descriptor('x', { annotations: { c: null } }), '.annotations["c"]'],
  ['has an overlong key among annotations', descriptor('x', { annotations: { [long]: '' } }), '.annotations'],
  ['has a text for platform', descriptor('x', { platform: 'linux/amd64' }), '.platform'],
  ['has a number for os', descriptor('x', { platform: { os: 1, architecture: 'arm' } }), '.platform.os'],
  ['has a number for architecture', descriptor('x', { platform: { architecture: 6 } }), '.platform.architecture'],
  ['has a list for variant', descriptor('x', { platform: { variant: ['v7'] } }), '.platform.variant'],
  ['has a number for os.version', descriptor('x', { platform: { 'os.version': 10 } }), '.platform["os.version"]'],
  ['has a text for os.features', descriptor('x', { platform: { 'os.features': 'a' } }), '.platform["os.features"]'],
];

const places: [string, (value: unknown) => [Json, string]][] = [
  ['config', (value) => [image({ config: value }), mediaTypes.imageManifest]],
  ['layers[1]', (value) => [image({ layers: [descriptor('a'), value] }), mediaTypes.imageManifest]],
  ['subject', (value) => [image({ subject: value }), mediaTypes.imageManifest]],
  ['manifests[2]', (value) => [index({ manifests: [descriptor('a'), descriptor('b'), value] }), mediaTypes.imageIndex]],
  ['subject', (value) => [index({ subject: value }), mediaTypes.imageIndex]],
  ['blobs[0]', (value) => [artifact({ blobs: [value] }), mediaTypes.artifactManifest]],
  ['subject', (value) => [artifact({ subject: value }), mediaTypes.artifactManifest]],
];

describe.each(places)('%s of a manifest', (path, documentWith) => {
  test.each(malformedDescriptors)('is refused if it %s', (_what, value, field) => {
    const [document, mediaType] = documentWith(value);
    const error = errorOf(document, mediaType);
    expect(error).toMatchObject({ code: 'MANIFEST_INVALID', detail: { field: path + field } });
    expect(error.message).toContain(`the manifest's ${path}${field} `);
  });
});

describe('a manifest is refused', () => {
  test.each<[string, Json, string]>([
    ['has no schemaVersion', image({ schemaVersion: none }), 'schemaVersion'],
    ['is of schemaVersion 1', image({ schemaVersion: 1 }), 'schemaVersion'],
    ['has a text for schemaVersion', image({ schemaVersion: '2' }), 'schemaVersion'],
    ['has no config', image({ config: none }), 'config'],
    ['has null for config', image({ config: null }), 'config'],
    ['has no list of layers', image({ layers: {} }), 'layers'],
    ['has null among its layers', image({ layers: [null] }), 'layers[0]'],
    ['is an image and has entries', image({ manifests: [] }), 'manifests'],
    ['is an index and has a config', index({ config: descriptor('x') }), 'config'],
    ['is an index and has layers', index({ layers: [] }), 'layers'],
    ['is an index of schemaVersion 1', index({ schemaVersion: 1 }), 'schemaVersion'],
    ['has no list of entries', index({ manifests: 'x' }), 'manifests'],
    ['is an artifact without type', artifact({ artifactType: none }), 'artifactType'],
    ['is an artifact with an empty type', artifact({ artifactType: '' }), 'artifactType'],
    ['is an artifact and has a config', artifact({ config: descriptor('x') }), 'config'],
    ['is an artifact and has layers', artifact({ layers: [] }), 'layers'],
    ['is an artifact and has entries', artifact({ manifests: [] }), 'manifests'],
    ['has no list of blobs', artifact({ blobs: descriptor('x') }), 'blobs'],
    ['has a line break in artifactType', image({ artifactType: 'a\nb' }), 'artifactType'],
    ['has an overlong artifactType', index({ artifactType: `a/${long}` }), 'artifactType'],
    ['has a text for annotations', image({ annotations: 'x' }), 'annotations'],
    ['has a number among its annotations', index({ annotations: { 'a"b': 1 } }), 'annotations["a\\"b"]'],
    ['has an overlong key among its annotations', artifact({ annotations: { [long]: '' } }), 'annotations'],
  ])('if it %s', (_what, document, field) => {
    const error = errorOf(document, String(document['mediaType']));
    expect(error).toMatchObject({ code: 'MANIFEST_INVALID', detail: { field } });
    expect(error.message).toContain(`the manifest's ${field} `);
  });

  test.each([mediaTypes.imageIndex, mediaTypes.dockerManifest, 'application/json', '', 1])(
    'if it says that it is %j but was pushed as an OCI image',
    (mediaType) => {
      const error = errorOf(image({ mediaType }), mediaTypes.imageManifest);
      expect(error).toMatchObject({ code: 'MANIFEST_INVALID', detail: { field: 'mediaType' } });
      expect(error.message).toContain(`pushed as ${mediaTypes.imageManifest}`);
    },
  );

  test('with a message that stays short, however long the field is', () => {
    const error = errorOf(image({ config: descriptor('x', { digest: long.repeat(1000) }) }), mediaTypes.imageManifest);
    expect(error.message.length).toBeLessThan(400);
  });
});

/** Texts that registries hold as media types, and that RFC 6838 does not allow. */
const looseTypes = [
  'foo',
  'test.sbom.file',
  'text/plain; charset=utf-8',
  'application/vnd.dev.cosign.simplesigning.v1+json;version=0.2',
  'image/svg+xml, text/html',
  'ein Typ/ä',
  '/',
  'a/b/c',
];

describe.each(looseTypes)('the media type %j', (type) => {
  const withType = { mediaType: type };
  const withArtifact = { artifactType: type };
  const documents: [string, Json, string][] = [
    ['config.mediaType', image({ config: descriptor('x', withType) }), mediaTypes.imageManifest],
    ['layers[0].mediaType', image({ layers: [descriptor('x', withType)] }), mediaTypes.dockerManifest],
    ['manifests[0].mediaType', index({ manifests: [descriptor('x', withType)] }), mediaTypes.imageIndex],
    ['manifests[0].artifactType', index({ manifests: [descriptor('x', withArtifact)] }), mediaTypes.imageIndex],
    ['subject.mediaType', image({ subject: descriptor('x', withType) }), mediaTypes.imageManifest],
    ['artifactType', image({ artifactType: type }), mediaTypes.imageManifest],
    ['artifactType', artifact({ artifactType: type }), mediaTypes.artifactManifest],
    ['blobs[0].mediaType', artifact({ blobs: [descriptor('x', withType)] }), mediaTypes.artifactManifest],
  ];

  test.each(documents)('is kept as %s', (_field, { mediaType: _own, ...document }, mediaType) => {
    expect(parse(document, mediaType).manifest).toEqual(document);
  });

  test.each(documents)('is refused as %s if types are strict', (field, { mediaType: _own, ...document }, mediaType) => {
    const parsed = parse(document, mediaType);
    expect(() => assertStrictMediaTypes(parsed)).toThrow(
      expect.objectContaining({ code: 'MANIFEST_INVALID', detail: { field } }),
    );
  });
});

test.each<[string, Json, string]>([
  ['image', image({ artifactType: '', subject: descriptor('x') }), mediaTypes.imageManifest],
  ['index', index({ artifactType: 'application/vnd.example+json' }), mediaTypes.imageIndex],
  ['artifact', artifact(), mediaTypes.artifactManifest],
])('strict types allow an %s whose types RFC 6838 allows', (_kind, document, mediaType) => {
  expect(() => assertStrictMediaTypes(parse(document, mediaType))).not.toThrow();
});

describe('an entry of an index', () => {
  test.each([...manifestMediaTypes, `${mediaTypes.imageManifest}; charset=utf-8`, mediaTypes.imageIndex.toUpperCase()])(
    'is a manifest if its type is %s',
    (mediaType) => {
      const entry = descriptor('x', { mediaType });
      expect(linksOf(parse(index({ manifests: [entry] }), mediaTypes.imageIndex))).toMatchObject({
        blobs: [],
        manifests: [entry],
      });
    },
  );

  test.each([mediaTypes.layerGzip, 'application/vnd.buildkit.cacheconfig.v0', 'application/json', 'foo', ''])(
    'is a blob if its type is %j',
    (mediaType) => {
      const entry = descriptor('x', { mediaType });
      const child = descriptor('y', { mediaType: mediaTypes.imageManifest });
      expect(linksOf(parse(index({ manifests: [entry, child] }), mediaTypes.imageIndex))).toMatchObject({
        blobs: [entry],
        manifests: [child],
      });
    },
  );
});

describe('a manifest may have', () => {
  test('a key of 255 characters and a value of any length', () => {
    const annotations = { ['a'.repeat(255)]: 'b'.repeat(100_000) };
    expect(parse(image({ annotations }), mediaTypes.imageManifest).manifest.annotations).toEqual(annotations);
  });

  test('a media type of twice 127 characters and the slash', () => {
    const artifactType = `${'a'.repeat(127)}/${'b'.repeat(127)}`;
    expect(parse(image({ artifactType }), mediaTypes.imageManifest).manifest.artifactType).toBe(artifactType);
  });
});

describe('the links of a manifest', () => {
  const subject = descriptor('subject');

  test('of an image are its config and then its layers', () => {
    expect(linksOf(parse(image({ subject }), mediaTypes.imageManifest))).toEqual({
      blobs: [
        descriptor('config', { mediaType: mediaTypes.imageConfig }),
        descriptor('layer 0'),
        descriptor('layer 1'),
      ],
      manifests: [],
      subject,
    });
  });

  test('of an index are its entries', () => {
    const { blobs, manifests, ...rest } = linksOf(parse(index({ subject }), mediaTypes.imageIndex));
    expect(manifests.map((entry) => entry.digest)).toEqual([descriptor('manifest 0').digest]);
    expect({ blobs, ...rest }).toEqual({ blobs: [], subject });
  });

  test('of an artifact are its blobs', () => {
    expect(linksOf(parse(artifact(), mediaTypes.artifactManifest))).toEqual({
      blobs: [descriptor('blob 0')],
      manifests: [],
      subject: undefined,
    });
  });
});

describe('the descriptor of a referrer', () => {
  const content = { digest, size: 7 };

  test.each<[string, string, Json, string | undefined]>([
    ['an image has its artifactType', mediaTypes.imageManifest, image({ artifactType: 'a/b' }), 'a/b'],
    ['an image without artifactType has its config’s type', mediaTypes.imageManifest, image(), mediaTypes.imageConfig],
    [
      'an image with an empty artifactType has its config’s type',
      mediaTypes.imageManifest,
      image({ artifactType: '' }),
      mediaTypes.imageConfig,
    ],
    [
      'an image with null for artifactType has its config’s type',
      mediaTypes.imageManifest,
      image({ artifactType: null }),
      mediaTypes.imageConfig,
    ],
    ['an index has its artifactType', mediaTypes.imageIndex, index({ artifactType: 'a/b' }), 'a/b'],
    ['an index without artifactType has none', mediaTypes.imageIndex, index(), undefined],
    ['an index with an empty artifactType has none', mediaTypes.imageIndex, index({ artifactType: '' }), undefined],
    ['an artifact has its type', mediaTypes.artifactManifest, artifact(), 'application/vnd.example.sbom'],
  ])('%s', (_what, mediaType, document, artifactType) => {
    expect(referrerDescriptor(parse(document, mediaType), content)).toStrictEqual({
      mediaType,
      ...content,
      ...(artifactType === undefined ? {} : { artifactType }),
    });
  });

  test('has all annotations', () => {
    const annotations = { 'org.example.a': '1', b: '' };
    const document = parse(image({ annotations }), mediaTypes.imageManifest);
    expect(referrerDescriptor(document, content).annotations).toEqual(annotations);
  });

  test('has the type as which it was pushed, if the manifest does not say one', () => {
    const document = parse(index({ mediaType: undefined }), mediaTypes.dockerManifestList);
    expect(referrerDescriptor(document, content).mediaType).toBe(mediaTypes.dockerManifestList);
  });
});
