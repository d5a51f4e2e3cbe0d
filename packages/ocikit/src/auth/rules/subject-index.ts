// Rules by the callers that they are for, so that rules for others cost nothing.
import { isAnonymous } from '../../model/index.ts';
import type { Identity } from '../../model/index.ts';

import { getOrSet } from '../patterns/index.ts';

import type { ClaimValue, ParsedRule, ParsedSubject } from './document.ts';

/** A caller as rules see it. */
export interface Caller {
  readonly user: string | undefined;
  readonly groups: ReadonlySet<string>;
  readonly claims: Readonly<Record<string, unknown>>;
  /** The keys under which rules for this caller are kept. */
  readonly keys: readonly string[];
}

const everyone = '*';
const anonymousOnly = 'anonymous';
const authenticatedOnly = 'authenticated';

/** The names of the claims by which an index keeps rules. */
export type IndexedClaims = Set<string>;

interface Entry<Value> {
  readonly subject: ParsedSubject;
  readonly value: Value;
}

/** Values, each for one subject. */
export class SubjectIndex<Value> {
  readonly #byKey = new Map<string, Entry<Value>[]>();

  /** @param claims gains the names of claims that callers need keys for */
  add(effect: ParsedRule['effect'], subject: ParsedSubject, value: Value, claims: IndexedClaims): void {
    for (const key of keysOf(effect, subject, claims)) {
      getOrSet(this.#byKey, key, () => []).push({ subject, value });
    }
  }

  /** The values whose subject the caller is. */
  *find(caller: Caller): Generator<Value> {
    for (const key of caller.keys) {
      for (const { subject, value } of this.#byKey.get(key) ?? []) if (isFor(subject, caller)) yield value;
    }
  }
}

/** The keys under which a rule is kept for a subject. One condition makes the keys; `isFor` looks at all of them. */
function keysOf(effect: ParsedRule['effect'], subject: ParsedSubject, claims: IndexedClaims): string[] {
  if (subject.kind === 'everyone') return [everyone];
  if (subject.kind === 'authenticated') return [authenticatedOnly];
  // Every caller could come without credentials, so it must not lose rights by its credentials.
  if (subject.kind === 'anonymous') return [effect === 'allow' ? everyone : anonymousOnly];
  if (subject.users !== undefined) return subject.users.map((user) => `user:${user}`);
  if (subject.groups !== undefined) return subject.groups.map((group) => `group:${group}`);
  const [first] = subject.claims;
  if (first === undefined) return [];
  const [name, values] = first;
  claims.add(name);
  return values.map((value) => claimKey(name, value));
}

function isFor({ kind, users, groups, claims }: ParsedSubject, caller: Caller): boolean {
  if (kind !== 'some') return true;
  if (users !== undefined && (caller.user === undefined || !users.includes(caller.user))) return false;
  if (groups?.some((group) => caller.groups.has(group)) === false) return false;
  return claims.every(([name, values]) => valuesOf(caller.claims, name).some((value) => values.includes(value)));
}

/** The caller of an identity. Groups and claims of an anonymous caller do not count. */
export function callerOf(
  identity: Identity,
  groupsOf: ReadonlyMap<string, readonly string[]>,
  indexed: IndexedClaims,
): Caller {
  const { user } = identity;
  if (user === undefined || isAnonymous(identity)) {
    return { user: undefined, groups: new Set(), claims: {}, keys: [everyone, anonymousOnly] };
  }
  const groups = new Set([...identity.groups, ...(groupsOf.get(user) ?? [])]);
  const { claims } = identity;
  const keys = [everyone, authenticatedOnly, `user:${user}`, ...Array.from(groups, (group) => `group:${group}`)];
  for (const name of indexed) for (const value of valuesOf(claims, name)) keys.push(claimKey(name, value));
  return { user, groups, claims, keys: [...new Set(keys)] };
}

/** The text and the number of one look differ. */
function claimKey(name: string, value: ClaimValue): string {
  return `claim:${JSON.stringify([name, value])}`;
}

/** The values of a claim. A list has several; objects have none. */
function valuesOf(claims: Readonly<Record<string, unknown>>, name: string): ClaimValue[] {
  if (!Object.hasOwn(claims, name)) return [];
  const claim = claims[name];
  const all: unknown[] = Array.isArray(claim) ? claim : [claim];
  return all.filter((value) => typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean');
}
