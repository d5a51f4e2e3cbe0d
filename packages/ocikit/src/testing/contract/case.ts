import { isRegistryError, maintenanceOf } from '../../model/index.ts';
import type { Descriptor, Digest, ErrorCode, Maintenance, Registry } from '../../model/index.ts';
import { randomName } from '../content.ts';
import type { ContractCapability, ContractCase, ContractGroup, ContractSubject, ContractTraits } from '../subject.ts';

import { ContractError, equal, rejects, sameBytes } from './check.ts';

/** Why a case may not apply to a subject. */
export type Need =
  | 'writing'
  | 'movable tags'
  | 'deletable tags'
  | 'immutable tags'
  | 'read-only'
  | 'strict links'
  | 'sparse'
  | 'anonymous mount'
  | 'functions'
  | 'uploads that can be read'
  | 'ifTag'
  | 'maintenance'
  | 'no maintenance'
  | 'history'
  | 'damage';

/** What a case works with: a registry, and names in it that nobody else uses. */
export interface Scene {
  readonly registry: Registry;
  /** Where the case prepares what it reads; the registry itself, unless that is read-only. */
  readonly origin: Registry;
  readonly traits: ContractTraits;
  /** A new repository's name, of the scene alone. */
  readonly repository: (suffix?: string) => string;
  /** The scene's repositories that the registry lists. */
  readonly listed: () => Promise<string[]>;
  /** The registry's maintenance, which the case needs. */
  readonly maintenance: Maintenance;
  readonly damage: (repository: string, digest: Digest) => Promise<void>;
}

/** Adds a case to a group. */
export interface AddCase {
  (name: string, run: (scene: Scene) => Promise<void>): void;
  (name: string, needs: readonly Need[], run: (scene: Scene) => Promise<void>): void;
}

export type DefineGroup = (subject: ContractSubject) => ContractGroup;

/** A group of cases, each of which needs what the group needs. */
export function group(name: string, needs: readonly Need[], define: (it: AddCase) => void): DefineGroup {
  return (subject) => {
    const cases: ContractCase[] = [];
    const add = (
      sentence: string,
      more: readonly Need[] | ((scene: Scene) => Promise<void>),
      run: (scene: Scene) => Promise<void> = async () => undefined,
    ): void => {
      const [own, body] = typeof more === 'function' ? [[], more] : [more, run];
      cases.push(caseOf(subject, sentence, [...needs, ...own], body));
    };
    define(add);
    return { name, cases };
  };
}

export function caseOf(
  subject: ContractSubject,
  name: string,
  needs: readonly Need[],
  run: (scene: Scene) => Promise<void>,
): ContractCase {
  const leftOut = needs.map((need) => unmet(need, subject)).find((reason) => reason !== undefined);
  return { name, leftOut, run: () => onStage(subject, run) };
}

async function onStage(subject: ContractSubject, run: (scene: Scene) => Promise<void>): Promise<void> {
  const { registry, origin = registry, close } = await subject.create();
  const prefix = `contract/${randomName()}`;
  let count = 0;
  try {
    await run({
      registry,
      origin,
      traits: subject.traits ?? {},
      repository: (suffix = String(++count)) => `${prefix}/${suffix}`,
      listed: () => namesBelow(registry, prefix),
      get maintenance() {
        const found = maintenanceOf(registry);
        if (found === undefined)
          throw new ContractError("the registry has no Maintenance: say so in `lacks`, if that's right");
        return found;
      },
      damage: async (repository, digest) => subject.damage?.(registry, repository, digest),
    });
  } finally {
    await close?.();
  }
}

async function namesBelow(registry: Registry, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const name of registry.repositories({ startAfter: prefix })) {
    if (name.startsWith(`${prefix}/`)) found.push(name);
    else if (name > `${prefix}/`) break;
  }
  return found;
}

/** Undefined if the subject is as the case needs it. */
function unmet(need: Need, { traits = {}, damage }: ContractSubject): string | undefined {
  const lacks = (capability: ContractCapability): boolean => traits.lacks?.includes(capability) === true;
  switch (need) {
    case 'writing':
      return traits.readOnly === true ? 'the registry is read-only' : undefined;
    case 'read-only':
      return traits.readOnly === true ? undefined : 'the registry is not read-only';
    case 'movable tags':
    case 'deletable tags':
      return traits.immutableTags === true ? 'its tags are immutable' : undefined;
    case 'immutable tags':
      return traits.immutableTags === true ? undefined : 'its tags are not immutable';
    case 'strict links':
      return traits.sparse === true ? 'it is sparse' : undefined;
    case 'sparse':
      return traits.sparse === true ? undefined : 'it is not sparse';
    case 'anonymous mount':
      return lacks('anonymousMount') ? 'it mounts only from a repository that is named' : undefined;
    case 'functions':
      return traits.remote === true ? 'HTTP has no words for a function' : undefined;
    case 'uploads that can be read':
      return lacks('uploadRead') ? 'what an upload holds cannot be read' : undefined;
    case 'ifTag':
      return lacks('ifTag') ? 'it has no conditions on tags' : undefined;
    case 'maintenance':
      return lacks('maintenance') ? 'it has no Maintenance' : undefined;
    case 'no maintenance':
      return lacks('maintenance') ? undefined : 'it has Maintenance';
    case 'history':
      return traits.keepsHistory === true ? undefined : 'it does not say that it knows how its tags moved';
    case 'damage':
      return damage === undefined ? 'nobody says how to damage what it stores' : undefined;
  }
}

export const algorithms = ['sha256', 'sha512'] as const;

/** What the answer to a HEAD may be called: over HTTP it has a status only. */
export function ofHead(traits: ContractTraits, code: 'NAME_UNKNOWN', kind: ErrorCode): readonly ErrorCode[] {
  return traits.remote === true ? [code, kind] : [code];
}

/** What the error is where content is looked for in a repository that does not exist. */
export function ofUnknownName({ lacks = [] }: ContractTraits, kind: ErrorCode): readonly ErrorCode[] {
  return lacks.includes('unknownNames') ? ['NAME_UNKNOWN', kind] : ['NAME_UNKNOWN'];
}

/** A descriptor as the registry's methods return it: what it is, not what else is said of it. */
export function identityOf({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

/** The blob is there, whole, and says so. */
export async function assertBlob(
  registry: Registry,
  repository: string,
  { digest }: { digest: Digest },
  bytes: Uint8Array,
): Promise<void> {
  const descriptor = { mediaType: 'application/octet-stream', digest, size: bytes.length };
  equal(identityOf(await registry.resolveBlob(repository, digest)), descriptor, `what ${repository} says of the blob`);
  const content = await registry.getBlob(repository, digest);
  equal(identityOf(content.descriptor), descriptor, 'the descriptor of the content');
  sameBytes(await content.bytes(), bytes, `the blob in ${repository}`);
}

/** The repository exists, but the blob is not in it. */
export async function assertNoBlob(registry: Registry, repository: string, digest: Digest): Promise<void> {
  await rejects(registry.resolveBlob(repository, digest), 'BLOB_UNKNOWN', 'resolveBlob');
  await rejects(readAll(registry, repository, digest), 'BLOB_UNKNOWN', 'getBlob');
}

/** The repository does not exist: no method knows it, and it is not listed. */
export async function assertNoRepository(scene: Scene, repository: string, digest: Digest): Promise<void> {
  const { registry, traits } = scene;
  await rejects(firstOf(registry.tags(repository)), 'NAME_UNKNOWN', 'tags');
  await rejects(
    registry.resolveBlob(repository, digest),
    ofHead(traits, 'NAME_UNKNOWN', 'BLOB_UNKNOWN'),
    'resolveBlob in an unknown repository',
  );
  await rejects(
    readAll(registry, repository, digest),
    ofUnknownName(traits, 'BLOB_UNKNOWN'),
    'getBlob in an unknown repository',
  );
  equal((await scene.listed()).includes(repository), false, `${repository} is listed`);
}

async function readAll(registry: Registry, repository: string, digest: Digest): Promise<Uint8Array> {
  return (await registry.getBlob(repository, digest)).bytes();
}

/** The first item, so that a sequence that fails at its beginning does. */
export async function firstOf<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}

/** True if the call worked, false if it rejected with this code; anything else is an error. */
export async function worksOr(code: ErrorCode, call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (isRegistryError(error, code)) return false;
    throw error;
  }
}
