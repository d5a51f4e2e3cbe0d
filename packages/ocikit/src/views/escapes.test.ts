import { afterAll, beforeEach, describe, expect, test } from 'vitest';

import { createServer } from '../http/server/index.ts';
import { collect, historyOf, isRegistryError, maintenanceOf, RegistryError } from '../model/index.ts';
import type { BlobUpload, Digest, ErrorCode, Registry } from '../model/index.ts';
import { createMemoryRegistry } from '../stores/memory/index.ts';
import { methods } from '../testing/cases/index.ts';
import { imageOf, pushContent, randomBlob } from '../testing/index.ts';
import type { TestManifest } from '../testing/index.ts';

import { accessChecker, select, sub } from './index.ts';

/*
 * Attempts of an attacker that is shown one repository, `app`, of a registry with more repositories. The rows list the
 * attempts, and the code below runs them. After each attempt the hidden content is unchanged, and no answer reveals it.
 */

/** The repositories inside. */
const [own, neighbour, foreign] = ['teams/blue/app', 'teams/blue-2/app', 'teams/red/vault'] as const;

interface Stage {
  /** The registry that the attacker has. */
  face: Registry;
  inside: Registry;
  /** In `foreign` only. */
  image: TestManifest;
  blob: Digest;
  upload: BlobUpload;
}

type Outcome = readonly ErrorCode[] | 'begins an upload' | 'finds nothing';
type Attempt = readonly [what: string, call: (stage: Stage) => Promise<unknown>, outcome: Outcome];

const unknown = ['NAME_UNKNOWN', 'BLOB_UNKNOWN', 'MANIFEST_UNKNOWN'] as const;
const malformed = ['NAME_INVALID'] as const;

/** Names that would lead out of `teams/blue` if they were appended to it and read as a path, or used as they are. */
const waysOut: readonly (readonly [name: string, outcome: Outcome])[] = [
  ['../red/vault', malformed],
  ['app/../../red/vault', malformed],
  ['app/../../../teams/red/vault', malformed],
  ['./../red/vault', malformed],
  ['..', malformed],
  ['.', malformed],
  ['', malformed],
  ['/', malformed],
  ['/teams/red/vault', malformed],
  ['//teams/red/vault', malformed],
  ['app//vault', malformed],
  ['app/', malformed],
  ['..%2fred%2fvault', malformed],
  ['%2e%2e/red/vault', malformed],
  [String.raw`..\red\vault`, malformed],
  ['../blue-2/app', malformed],
  ['-2/app', malformed],
  ['app\0/../../red/vault', malformed],
  ['app\n../red/vault', malformed],
  ['ａｐｐ/．．/red', malformed],
  [`${'../'.repeat(20)}teams/red/vault`, malformed],
  ['x'.repeat(255), malformed],
  [`${'x/'.repeat(122)}x`, malformed],
  ['teams/red/vault', unknown],
  ['red/vault', unknown],
  ['teams/blue/app', unknown],
  ['app/teams/red/vault', unknown],
];

const subAttempts: readonly Attempt[] = [
  ...waysOut.flatMap(([name, outcome]): Attempt[] => [
    [`reads ${show(name)}`, ({ face, blob }) => face.getBlob(name, blob).then((content) => content.bytes()), outcome],
    [`resolves a tag of ${show(name)}`, ({ face }) => face.resolveTag(name, 'v1'), outcome],
    [`lists the tags of ${show(name)}`, ({ face }) => collect(face.tags(name)), outcome],
    [`deletes from ${show(name)}`, ({ face, image }) => face.deleteManifest(name, image.descriptor.digest), outcome],
    [
      `mounts from ${show(name)}`,
      ({ face, blob }) => face.mountBlob(name, 'app', blob),
      outcome === malformed ? malformed : 'begins an upload',
    ],
    [
      `verifies in ${show(name)}`,
      async ({ face, blob }) => missing(await maintenanceOf(face)?.verify(name, blob)),
      outcome === malformed ? malformed : 'finds nothing',
    ],
    [
      `reads the history of ${show(name)}`,
      ({ face }) => collect(historyOf(face)?.moves(name) ?? none()),
      outcome === malformed ? malformed : 'finds nothing',
    ],
    [
      `lists referrers in ${show(name)}`,
      ({ face, image }) => collect(face.referrers(name, image.descriptor.digest)),
      outcome === malformed ? malformed : 'finds nothing',
    ],
  ]),
  ...waysOut
    .filter(([, outcome]) => outcome === malformed)
    .flatMap(([name]): Attempt[] => [
      [`begins an upload in ${show(name)}`, ({ face }) => face.startUpload(name), malformed],
      [`mounts into ${show(name)}`, ({ face, blob }) => face.mountBlob('app', name, blob), malformed],
      [`leases in ${show(name)}`, async ({ face, blob }) => maintenanceOf(face)?.lease(name, [blob]), malformed],
    ]),
  [
    'mounts a foreign blob from anywhere',
    ({ face, blob }) => face.mountBlob(undefined, 'app', blob),
    'begins an upload',
  ],
  ['mounts from anywhere it likes', ({ face, blob }) => face.mountBlob(() => true, 'app', blob), 'begins an upload'],
  ['reads a foreign blob in its own repository', ({ face, blob }) => face.getBlob('app', blob), unknown],
  [
    'tags a foreign manifest by an index',
    ({ face, image }) => pushIndexOf(face, 'app', image),
    ['MANIFEST_BLOB_UNKNOWN'],
  ],
  ['goes on with a foreign upload', ({ face, upload }) => face.resumeUpload('app', upload.id), ['BLOB_UPLOAD_UNKNOWN']],
  [
    'lists repositories from before the prefix',
    async ({ face }) => onlyOwn(await collect(face.repositories({ startAfter: '' }))),
    'finds nothing',
  ],
  ...['../', '..', '/', '-', '.', '!', '\0', '../../'].map((startAfter): Attempt => [
    `lists repositories after ${show(startAfter)}`,
    async ({ face }) => onlyOwn(await collect(face.repositories({ startAfter }))),
    'finds nothing',
  ]),
  [
    'lists repositories past the prefix',
    async ({ face }) => collect(face.repositories({ startAfter: '~', limit: 5 })),
    'finds nothing',
  ],
  [
    'asks how much is stored',
    async ({ face }) => onlyAs((await maintenanceOf(face)?.usage())?.repositories, 1),
    'finds nothing',
  ],
];

/** Views that show a repository by its whole name and hide others: `select`, and `accessChecker` with the same rule. */
function hiddenAttempts(refusal: ErrorCode): readonly Attempt[] {
  const reading = refusal === 'DENIED' ? (['DENIED'] as const) : (['NAME_UNKNOWN'] as const);
  return [
    ...methods
      .filter(({ takes, name }) => takes.includes('repository') && name !== 'referrers')
      .map(({ name, needs, call }): Attempt => {
        const writes = needs.includes('writing') && !name.startsWith('delete');
        return [
          `${name} of a hidden repository`,
          ({ face, image, blob }) => {
            const digest = /blob/i.test(name) ? blob : image.descriptor.digest;
            return call(face, { repository: foreign, digest, tag: 'v1' });
          },
          writes ? ['DENIED'] : reading,
        ];
      }),
    [
      'lists referrers in a hidden repository',
      ({ face, image }) => collect(face.referrers(foreign, image.descriptor.digest)),
      refusal === 'DENIED' ? ['DENIED'] : 'finds nothing',
    ],
    ['mounts from a hidden repository', ({ face, blob }) => face.mountBlob(foreign, own, blob), 'begins an upload'],
    ['mounts from one that does not exist', ({ face, blob }) => face.mountBlob('none', own, blob), 'begins an upload'],
    [
      'mounts a hidden blob from anywhere',
      ({ face, blob }) => face.mountBlob(undefined, own, blob),
      'begins an upload',
    ],
    ['mounts from anywhere it likes', ({ face, blob }) => face.mountBlob(() => true, own, blob), 'begins an upload'],
    ['mounts into a hidden repository', ({ face, blob }) => face.mountBlob(own, foreign, blob), ['DENIED']],
    ['resumes a hidden upload', ({ face, upload }) => face.resumeUpload(foreign, upload.id), ['DENIED']],
    [
      'resumes a hidden upload in its own repository',
      ({ face, upload }) => face.resumeUpload(own, upload.id),
      ['BLOB_UPLOAD_UNKNOWN'],
    ],
    ['reads a hidden blob in its own repository', ({ face, blob }) => face.getBlob(own, blob), ['BLOB_UNKNOWN']],
    [
      'names a hidden manifest in an index',
      ({ face, image }) => pushIndexOf(face, own, image),
      ['MANIFEST_BLOB_UNKNOWN'],
    ],
    ...['', 'teams/blue-', 'teams/re', 'teams/red', own].map((startAfter): Attempt => [
      `lists repositories after ${show(startAfter)}`,
      async ({ face }) =>
        onlyAs((await collect(face.repositories({ startAfter }))).filter((name) => name !== own).length, 0),
      'finds nothing',
    ]),
    [
      'lists one repository, so that a hidden one counts',
      async ({ face }) => onlyAs((await collect(face.repositories({ limit: 1 }))).join(), own),
      'finds nothing',
    ],
    ['escapes by a path', ({ face }) => face.resolveTag(`${own}/../../red/vault`, 'v1'), malformed],
    ['escapes by an encoded name', ({ face }) => face.resolveTag('teams%2fred%2fvault', 'v1'), malformed],
    ['escapes by upper case', ({ face }) => face.resolveTag('Teams/red/vault', 'v1'), malformed],
    ['reads an empty name', ({ face }) => face.resolveTag('', 'v1'), malformed],
    [
      'asks how much is stored',
      async ({ face }) => onlyAs((await maintenanceOf(face)?.usage())?.repositories, 1),
      'finds nothing',
    ],
    [
      'verifies hidden content',
      async ({ face, blob }) => missing(await maintenanceOf(face)?.verify(foreign, blob)),
      refusal === 'DENIED' ? ['DENIED'] : 'finds nothing',
    ],
    [
      'removes hidden content',
      async ({ face, blob }) => {
        const unusedSince = new Date(Date.now() + 60_000);
        return onlyAs(await maintenanceOf(face)?.removeUnused(foreign, blob, { unusedSince }), false);
      },
      refusal === 'DENIED' ? ['DENIED'] : 'finds nothing',
    ],
    [
      'reads a hidden history',
      async ({ face }) => collect(historyOf(face)?.moves(foreign) ?? none()),
      refusal === 'DENIED' ? ['DENIED'] : 'finds nothing',
    ],
    ['lists hidden manifests', async ({ face }) => collect(maintenanceOf(face)?.manifests(foreign) ?? none()), reading],
  ];
}

/**
 * Requests, of which only the last part is read as a name; `{blob}` and `{manifest}` are digests of the foreign
 * repository.
 */
const requests: readonly (readonly [request: string, statuses: readonly number[]])[] = [
  ['GET /v2/../red/vault/manifests/v1', [404]],
  ['GET /v2/%2e%2e/red/vault/manifests/v1', [400, 404]],
  ['GET /v2/..%2fred%2fvault/manifests/v1', [400, 404]],
  ['GET /v2/app/..%2f..%2fred/vault/manifests/v1', [400, 404]],
  ['GET /v2//teams/red/vault/manifests/v1', [400, 404]],
  ['GET /v2/teams/red/vault/manifests/v1', [404]],
  ['GET /v2/teams/red/vault/tags/list', [404]],
  ['GET /v2/app/blobs/{blob}', [404]],
  ['HEAD /v2/app/blobs/{blob}', [404]],
  ['GET /v2/red/vault/blobs/{blob}', [404]],
  ['POST /v2/app/blobs/uploads/?mount={blob}&from=teams/red/vault', [202]],
  ['POST /v2/app/blobs/uploads/?mount={blob}&from=red/vault', [202]],
  ['POST /v2/app/blobs/uploads/?mount={blob}&from=../red/vault', [202]],
  ['POST /v2/app/blobs/uploads/?mount={blob}&from=..%2Fred%2Fvault', [202]],
  ['POST /v2/app/blobs/uploads/?mount={blob}&from=%252e%252e%252fred', [202]],
  ['POST /v2/app/blobs/uploads/?mount={blob}&from=', [202]],
  ['POST /v2/app/blobs/uploads/?mount={blob}', [202]],
  ['PATCH /v2/app/blobs/uploads/{upload}', [404]],
  ['GET /v2/app/blobs/uploads/{upload}', [404]],
  ['GET /v2/app/blobs/uploads/..%2f..%2f..%2f..%2fred%2fvault', [404]],
  ['DELETE /v2/app/blobs/{blob}', [404]],
  ['DELETE /v2/teams/red/vault/manifests/{manifest}', [404]],
  ['DELETE /v2/red/vault/manifests/v1', [404]],
  ['GET /v2/app/referrers/{manifest}', [200]],
  ['GET /v2/red/vault/referrers/{manifest}', [200]],
  ['GET /v2/_catalog', [200]],
  ['GET /v2/_catalog?last=../', [400]],
  ['GET /v2/_catalog?last=..%2F..%2Fa&n=1000', [400]],
  ['GET /v2/_catalog?last=~', [400]],
  ['GET /v2/_catalog?last=zzz', [200]],
  ['GET /v2/_catalog?n=1&last=app', [200]],
];

let stage: Omit<Stage, 'face'>;
let before: string;
/** Everything that was said to the attacker. */
const heard: string[] = [];

beforeEach(async () => {
  const inside = createMemoryRegistry();
  const image = imageOf();
  for (const name of [own, neighbour]) await pushContent(inside, name, imageOf(), { tags: ['v1'] });
  await pushContent(inside, foreign, image, { tags: ['v1'] });
  const upload = await inside.startUpload(foreign);
  await upload.append(randomBlob(100).bytes);
  const [first] = image.blobs;
  if (first === undefined) throw new Error('an image has a config');
  stage = { inside, image, blob: first.descriptor.digest, upload };
  before = await hiddenState(inside);
});

const allowOwn = (name: string | undefined): boolean => name === undefined || name === own;

describe.each<[view: string, face: (inside: Registry) => Registry, attempts: readonly Attempt[]]>([
  ['sub', (inside) => sub(inside, 'teams/blue'), subAttempts],
  ['sub in two steps', (inside) => sub(sub(inside, 'teams'), 'blue'), subAttempts],
  ['select', (inside) => select(inside, allowOwn), hiddenAttempts('NAME_UNKNOWN')],
  [
    'accessChecker',
    (inside) =>
      accessChecker(inside, ({ repository }) => {
        if (!allowOwn(repository)) throw new RegistryError('DENIED', 'not yours');
      }),
    hiddenAttempts('DENIED'),
  ],
])('%s keeps in who', (view, faceOf, attempts) => {
  test.each(attempts)('%s', async (what, call, outcome) => {
    const { inside, upload } = stage;
    const result = await call({ ...stage, face: faceOf(inside) }).then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    if ('error' in result) {
      expect(isRegistryError(result.error), String(result.error)).toBe(true);
      expect(outcome).toContain((result.error as RegistryError).code);
      // The answer may contain names that the attacker used itself.
      if (!what.includes('teams/blue')) note(result.error);
    } else if (outcome === 'begins an upload') {
      expect(result.value).toMatchObject({ upload: { size: 0 } });
    } else {
      expect([outcome, result.value ?? []]).toEqual(['finds nothing', []]);
    }
    expect(await hiddenState(inside)).toBe(before);
    expect((await inside.resumeUpload(foreign, upload.id)).size).toBe(100);
    if (view.startsWith('sub')) expect(heard.filter((text) => text.includes('teams/blue/'))).toEqual([]);
  });
});

describe('over HTTP, sub keeps a client inside the prefix that sends', () => {
  test.each(requests)('%s', async (request, statuses) => {
    const { inside, image, blob, upload } = stage;
    const server = createServer(sub(inside, 'teams/blue'));
    const [method = '', path = ''] = request
      .replace('{blob}', blob)
      .replace('{manifest}', image.descriptor.digest)
      .replace('{upload}', upload.id)
      .split(' ');
    const response = await server.fetch(new Request(`http://registry.test${path}`, { method }));
    const body = await response.text();
    expect(statuses, body).toContain(response.status);
    const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join('\n');
    expect(`${headers}\n${body}`).not.toMatch(/teams\/blue|teams%2Fblue/);
    if (path.startsWith('/v2/_catalog') && response.status === 200)
      expect(body.replaceAll('"app"', '')).toBe('{"repositories":[]}');
    if (path.includes('/referrers/')) expect(JSON.parse(body)).toMatchObject({ manifests: [] });
    expect(await hiddenState(inside)).toBe(before);
  });
});

describe('over HTTP, a repository that select hides cannot be told from a missing one:', () => {
  test.each([
    'GET /v2/{name}/manifests/v1',
    'HEAD /v2/{name}/manifests/v1',
    'GET /v2/{name}/manifests/{manifest}',
    'GET /v2/{name}/blobs/{blob}',
    'HEAD /v2/{name}/blobs/{blob}',
    'GET /v2/{name}/tags/list',
    'GET /v2/{name}/tags/list?n=0',
    'GET /v2/{name}/referrers/{manifest}',
    'DELETE /v2/{name}/manifests/v1',
    'DELETE /v2/{name}/manifests/{manifest}',
    'DELETE /v2/{name}/blobs/{blob}',
    'POST /v2/app/blobs/uploads/?mount={blob}&from={name}',
  ])('%s', async (request) => {
    const { inside, image, blob } = stage;
    // Anything but the foreign one may be seen, so that what is not there is asked for inside.
    const server = createServer(select(inside, (name) => name !== foreign));
    const answerFor = async (name: string): Promise<string> => {
      const [method = '', path = ''] = request
        .replace('{name}', name)
        .replace('{blob}', blob)
        .replace('{manifest}', image.descriptor.digest)
        .split(' ');
      const response = await server.fetch(new Request(`http://registry.test${path}`, { method }));
      const headers = [...response.headers]
        // Every upload has an id of its own.
        .map(([header, value]) => `${header}: ${value.replace(/uploads\/.*/, 'uploads/…')}`)
        .filter((line) => !line.startsWith('date'));
      const body = await response.text();
      return [response.status, ...headers, body].join('\n').replaceAll(name, '{name}');
    };
    expect(await answerFor(foreign)).toBe(await answerFor('teams/red/vauld'));
  });
});

describe('over HTTP, accessChecker refuses existing and missing repositories alike:', () => {
  test.each([
    ['GET /v2/{name}/manifests/v1', 403],
    ['HEAD /v2/{name}/manifests/v1', 403],
    ['GET /v2/{name}/blobs/{blob}', 403],
    ['GET /v2/{name}/tags/list', 403],
    ['GET /v2/{name}/referrers/{manifest}', 403],
    ['DELETE /v2/{name}/manifests/v1', 403],
    ['DELETE /v2/{name}/manifests/{manifest}', 403],
    ['DELETE /v2/{name}/blobs/{blob}', 403],
    ['POST /v2/{name}/blobs/uploads/', 403],
    ['POST /v2/{name}/blobs/uploads/?mount={blob}&from=teams/blue/app', 403],
    ['PATCH /v2/{name}/blobs/uploads/{upload}', 403],
    ['GET /v2/{name}/blobs/uploads/{upload}', 403],
    ['DELETE /v2/{name}/blobs/uploads/{upload}', 403],
    ['PUT /v2/{name}/manifests/v1', 403],
    ['POST /v2/teams/blue/app/blobs/uploads/?mount={blob}&from={name}', 202],
    ['POST /v2/teams/blue/app/blobs/uploads/?mount={blob}', 202],
    ['GET /v2/_catalog', 200],
  ])('%s', async (request, status) => {
    const { inside, image, blob, upload } = stage;
    const view = accessChecker(inside, ({ repository }) => {
      if (!allowOwn(repository)) throw new RegistryError('DENIED', 'not yours');
    });
    const server = createServer(view);
    const answers = [foreign, 'teams/red/vauld'].map(async (name) => {
      const [method = '', path = ''] = request
        .replace('{name}', name)
        .replace('{blob}', blob)
        .replace('{manifest}', image.descriptor.digest)
        .replace('{upload}', upload.id)
        .split(' ');
      const headers = { 'content-type': image.mediaType };
      const body = method === 'PUT' || method === 'PATCH' ? new Uint8Array(image.bytes) : null;
      const response = await server.fetch(new Request(`http://registry.test${path}`, { method, headers, body }));
      expect(response.status).toBe(status);
      return (await response.text()).replaceAll(name, '{name}');
    });
    const [there, notThere] = await Promise.all(answers);
    expect(there).toBe(notThere);
    expect(there).not.toContain('vault');
    expect(await hiddenState(inside)).toBe(before);
  });
});

afterAll(() => {
  expect(heard.length).toBeGreaterThan(200);
});

/** All that there is to be kept from the attacker, as text. */
async function hiddenState(inside: Registry): Promise<string> {
  const maintained = maintenanceOf(inside);
  const repositories = (await collect(inside.repositories())).filter((name) => name !== own);
  const content = repositories.map(async (name) => [
    name,
    await collect(inside.tags(name)),
    (await collect(maintained?.manifests(name) ?? none())).map(({ descriptor, tags }) => [descriptor.digest, tags]),
    (await collect(maintained?.blobs(name) ?? none())).map(({ descriptor }) => descriptor.digest),
    (await collect(maintained?.uploads(name) ?? none())).map(({ id, size }) => [id, size]),
  ]);
  return JSON.stringify(await Promise.all(content), null, 1);
}

async function pushIndexOf(face: Registry, name: string, { descriptor }: TestManifest): Promise<unknown> {
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, mediaType, manifests: [descriptor] }));
  return face.pushManifest(name, bytes, mediaType, { tags: ['mine'] });
}

function note(error: unknown): void {
  for (let at = error; at instanceof Error; at = at.cause) {
    heard.push(`${at.message} ${isRegistryError(at) ? JSON.stringify(at.detail ?? '') : ''}`);
  }
}

function missing(found: string | undefined): readonly string[] {
  return found === 'missing' ? [] : [String(found)];
}

function onlyOwn(names: readonly string[]): readonly string[] {
  return names.filter((name) => name !== 'app');
}

function onlyAs(value: unknown, expected: unknown): readonly unknown[] {
  return value === expected ? [] : [value];
}

async function* none(): AsyncGenerator<never> {
  // Nothing.
}

function show(name: string): string {
  return JSON.stringify(name.length > 40 ? `${name.slice(0, 40)}… (${name.length})` : name);
}
