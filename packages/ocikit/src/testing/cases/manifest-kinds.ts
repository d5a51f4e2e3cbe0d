// The kinds of manifests that a registry has to accept.
import { mediaTypes } from '../../model/index.ts';
import type { Descriptor } from '../../model/index.ts';
import {
  artifactOf,
  blobOf,
  emptyJson,
  imageOf,
  indexOf,
  manifestOf,
  randomBlob,
  randomName,
} from '../content/index.ts';
import type { TestManifest } from '../content/index.ts';

const linux = (architecture: string): { os: string; architecture: string } => ({ os: 'linux', architecture });

/** A kind of manifest that a registry has to accept. */
export interface ManifestKind {
  /** The kind, with an article. */
  readonly name: string;
  /** Makes a new one. Its digest and those of its content have this algorithm. */
  readonly make: (algorithm?: string) => TestManifest;
}

/** The descriptor of content that no registry has. */
export function missingDescriptor(mediaType: string, algorithm?: string): Descriptor {
  return randomBlob(100, { mediaType, algorithm }).descriptor;
}

const subject = (algorithm?: string): Descriptor => missingDescriptor(mediaTypes.imageManifest, algorithm);

/** A layer that may not be distributed: its descriptor has a URL, and no registry has its bytes. */
export function foreignLayer(mediaType: string, algorithm?: string): Descriptor {
  const descriptor = missingDescriptor(mediaType, algorithm);
  return { ...descriptor, urls: [`https://layers.example.com/${descriptor.digest}`] };
}

/** Every kind of manifest that a registry has to accept. */
export const manifestKinds: readonly ManifestKind[] = [
  { name: 'an image', make: (algorithm) => imageOf({ algorithm }) },
  {
    name: 'an image with an uncompressed layer',
    make: (algorithm) => imageOf({ algorithm, layers: [randomBlob(2000, { mediaType: mediaTypes.layer, algorithm })] }),
  },
  {
    name: 'an image with annotations',
    make: (algorithm) => imageOf({ algorithm, annotations: { 'org.example': 'ü€🙂', empty: '' } }),
  },
  { name: 'an image without layers', make: (algorithm) => imageOf({ algorithm, layers: [] }) },
  {
    name: 'an image whose layers are null',
    make: (algorithm) => imageOf({ algorithm, layers: [], fields: { layers: null } }),
  },
  {
    name: 'an image that lacks the field for layers',
    make: (algorithm) => imageOf({ algorithm, layers: [], fields: { layers: undefined } }),
  },
  {
    name: 'an image that has the same layer twice',
    make: (algorithm) => {
      const layer = randomBlob(500, { mediaType: mediaTypes.layerGzip, algorithm });
      return imageOf({ algorithm, layers: [layer, layer] });
    },
  },
  {
    name: 'an image without mediaType in its body',
    make: (algorithm) => imageOf({ algorithm, fields: { mediaType: undefined } }),
  },
  {
    name: 'an image with a subject that is missing',
    make: (algorithm) => imageOf({ algorithm, subject: subject(algorithm) }),
  },
  {
    name: 'an image with content in its descriptors',
    make: (algorithm) => {
      const config = emptyJson(algorithm);
      return imageOf({ algorithm, config, fields: { config: { ...config.descriptor, data: btoa('{}') } } });
    },
  },
  {
    name: 'an image with layers that may not be distributed',
    make: (algorithm) =>
      imageOf({
        algorithm,
        layers: [
          foreignLayer('application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', algorithm),
          foreignLayer('application/vnd.oci.image.layer.nondistributable.v1.tar', algorithm),
          randomBlob(800, { mediaType: mediaTypes.layerGzip, algorithm }),
        ],
      }),
  },
  {
    name: 'an image with unknown fields',
    make: (algorithm) =>
      imageOf({ algorithm, fields: { [`org.${randomName()}`]: randomName(), nested: { deep: [1, null, false] } } }),
  },
  {
    name: 'an index',
    make: (algorithm) =>
      indexOf([imageOf({ algorithm, platform: linux('amd64') }), imageOf({ algorithm, platform: linux('arm64') })], {
        algorithm,
      }),
  },
  {
    name: 'an index of indexes',
    make: (algorithm) =>
      indexOf([indexOf([imageOf({ algorithm })], { algorithm }), indexOf([imageOf({ algorithm })], { algorithm })], {
        algorithm,
      }),
  },
  {
    name: 'an index without entries',
    make: (algorithm) => indexOf([], { algorithm, annotations: { is: randomName() } }),
  },
  {
    name: 'an index whose entries are null',
    make: (algorithm) => indexOf([], { algorithm, fields: { manifests: null, is: randomName() } }),
  },
  {
    name: 'an index without mediaType in its body',
    make: (algorithm) => indexOf([imageOf({ algorithm })], { algorithm, fields: { mediaType: undefined } }),
  },
  {
    name: 'an index with a subject',
    make: (algorithm) =>
      indexOf([imageOf({ algorithm })], { algorithm, subject: subject(algorithm), annotations: { a: 'b' } }),
  },
  {
    name: 'an index with unknown fields',
    make: (algorithm) =>
      indexOf([imageOf({ algorithm })], { algorithm, fields: { [`org.${randomName()}`]: randomName() } }),
  },
  {
    name: 'an index of a type of artifact',
    make: (algorithm) =>
      indexOf([artifactOf({ artifactType: 'application/vnd.example.a', algorithm })], {
        algorithm,
        artifactType: 'application/vnd.example.b',
      }),
  },
  { name: 'an artifact', make: (algorithm) => artifactOf({ artifactType: 'application/vnd.example.a', algorithm }) },
  {
    name: 'an artifact without layers',
    make: (algorithm) =>
      artifactOf({
        artifactType: 'application/vnd.example.a',
        algorithm,
        layers: [emptyJson(algorithm)],
        annotations: { is: randomName() },
      }),
  },
  {
    name: 'an artifact with a subject',
    make: (algorithm) =>
      artifactOf({ artifactType: 'application/vnd.example.a', algorithm, subject: subject(algorithm) }),
  },
  {
    name: 'an artifact manifest of a release candidate',
    make: (algorithm) => {
      const blob = randomBlob(300, { mediaType: 'text/plain', algorithm });
      const document = {
        mediaType: mediaTypes.artifactManifest,
        artifactType: 'application/vnd.example.a',
        blobs: [blob.descriptor],
        annotations: { a: 'b' },
      };
      return manifestOf(document, { mediaType: mediaTypes.artifactManifest, algorithm, blobs: [blob] });
    },
  },
  { name: 'a Docker image', make: (algorithm) => imageOf({ algorithm, mediaType: mediaTypes.dockerManifest }) },
  {
    name: 'a Docker manifest list',
    make: (algorithm) =>
      indexOf([imageOf({ algorithm, mediaType: mediaTypes.dockerManifest })], {
        algorithm,
        mediaType: mediaTypes.dockerManifestList,
      }),
  },
  {
    name: 'a manifest of about four million bytes',
    make: (algorithm) => imageOf({ algorithm, annotations: { large: 'A'.repeat(3_990_000) } }),
  },
  {
    name: 'a manifest that is written in an unusual way',
    make: (algorithm) => {
      const config = randomBlob(100, { mediaType: mediaTypes.imageConfig, algorithm });
      const { digest, size, mediaType } = config.descriptor;
      const text = `\n { "config" :{"size": ${size}, "digest":"${digest}",\r\n\t"mediaType": "${mediaType}"} ,"layers":[ ],
        "x": "\\u00e9\\/ü", "schemaVersion":2.0 } \n\n`;
      const blob = blobOf(text, { mediaType: mediaTypes.imageManifest, algorithm });
      return { ...blob, mediaType: mediaTypes.imageManifest, blobs: [config], manifests: [] };
    },
  },
  {
    name: 'an image whose types are as long as they may be',
    make: (algorithm) => {
      const longest = `${'a'.repeat(127)}/${'b'.repeat(127)}`;
      return imageOf({
        algorithm,
        artifactType: longest,
        annotations: { ['k'.repeat(255)]: 'v' },
        config: randomBlob(20, { mediaType: longest, algorithm }),
      });
    },
  },
];
