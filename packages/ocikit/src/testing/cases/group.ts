// Groups of cases: which cases apply to a registry, and how a case is run with one.
import { maintenanceOf } from '../../model/index.ts';
import type { Digest, Maintenance, Registry } from '../../model/index.ts';
import { randomName } from '../content/index.ts';

import { ContractError } from './expectations.ts';
import type { ContractCapability, ContractCase, ContractGroup, ContractTarget, ContractTraits } from './target.ts';

/** A property that a case needs from the registry. */
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

/** The surroundings of a running case: a registry, and names in it for this case alone. */
export interface Scene {
  /** The registry under test. */
  readonly registry: Registry;
  /** The registry through which a case prepares content; the registry itself, unless that is read-only. */
  readonly origin: Registry;
  /** The traits of the registry. */
  readonly traits: ContractTraits;
  /** Gives a repository name for this scene alone: a new one, or the one with this suffix. */
  readonly repository: (suffix?: string) => string;
  /** The scene's repositories that the registry lists. */
  readonly listed: () => Promise<string[]>;
  /** The registry's maintenance, which the case needs. */
  readonly maintenance: Maintenance;
  /** Changes a stored blob behind the registry's back. */
  readonly damage: (repository: string, digest: Digest) => Promise<void>;
}

/** Adds a case to a group. */
export interface AddCase {
  (name: string, run: (scene: Scene) => Promise<void>): void;
  (name: string, needs: readonly Need[], run: (scene: Scene) => Promise<void>): void;
}

/** Makes a group for a registry. */
export type DefineGroup = (target: ContractTarget) => ContractGroup;

/** A group of cases, each of which needs what the group needs. */
export function group(name: string, needs: readonly Need[], define: (test: AddCase) => void): DefineGroup {
  return (target) => {
    const cases: ContractCase[] = [];
    const add = (
      sentence: string,
      more: readonly Need[] | ((scene: Scene) => Promise<void>),
      run: (scene: Scene) => Promise<void> = async () => undefined,
    ): void => {
      const [own, body] = typeof more === 'function' ? [[], more] : [more, run];
      cases.push(caseOf(target, sentence, [...needs, ...own], body));
    };
    define(add);
    return { name, cases };
  };
}

/** Makes a case, which creates a registry of the target when it runs. */
export function caseOf(
  target: ContractTarget,
  name: string,
  needs: readonly Need[],
  run: (scene: Scene) => Promise<void>,
): ContractCase {
  const leftOut = needs.map((need) => unmet(need, target)).find((reason) => reason !== undefined);
  return { name, leftOut, run: () => runInScene(target, run) };
}

async function runInScene(target: ContractTarget, run: (scene: Scene) => Promise<void>): Promise<void> {
  const { registry, origin = registry, close } = await target.create();
  const prefix = `contract/${randomName()}`;
  let count = 0;
  try {
    await run({
      registry,
      origin,
      traits: target.traits ?? {},
      repository: (suffix = String(++count)) => `${prefix}/${suffix}`,
      listed: () => namesBelow(registry, prefix),
      get maintenance() {
        const found = maintenanceOf(registry);
        if (found === undefined)
          throw new ContractError(
            "expected a Maintenance, but the registry has none: add maintenance to the trait lacks, if that's right",
          );
        return found;
      },
      damage: async (repository, digest) => target.damage?.(registry, repository, digest),
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

/** The reason for which a case does not apply; undefined if it applies. */
function unmet(need: Need, { traits = {}, damage }: ContractTarget): string | undefined {
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
      return lacks('anonymousMount') ? 'it mounts only from a named repository' : undefined;
    case 'functions':
      return traits.remote === true ? 'a function cannot be sent over HTTP' : undefined;
    case 'uploads that can be read':
      return lacks('uploadRead') ? 'its uploads cannot be read' : undefined;
    case 'ifTag':
      return lacks('ifTag') ? 'it has no conditions on tags' : undefined;
    case 'maintenance':
      return lacks('maintenance') ? 'it has no Maintenance' : undefined;
    case 'no maintenance':
      return lacks('maintenance') ? undefined : 'it has Maintenance';
    case 'history':
      return traits.keepsHistory === true ? undefined : 'it does not keep the history of its tags';
    case 'damage':
      return damage === undefined ? 'the target has no way to damage stored content' : undefined;
  }
}
