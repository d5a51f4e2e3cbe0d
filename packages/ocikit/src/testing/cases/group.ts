import { maintenanceOf } from '../../model/index.ts';
import type { Digest, Maintenance, Registry } from '../../model/index.ts';
import { randomName } from '../content/index.ts';

import { ContractError } from './expectations.ts';
import type { ContractCapability, ContractCase, ContractGroup, ContractSubject, ContractTraits } from './target.ts';

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
