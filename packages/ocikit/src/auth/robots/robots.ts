// Robots: tokens that machines use as passwords.
import { digestOf, identityOf } from '../../model/index.ts';
import type { Identity, ResourceActions } from '../../model/index.ts';

import { unfitUserName } from '../passwords/index.ts';
import type { UserEntry, Users } from '../passwords/index.ts';
import { getOrSet, parsePattern, userPart } from '../patterns/index.ts';
import { accessActions, isAccessAction } from '../rules/index.ts';
import { unitedScopes } from '../scopes/index.ts';

import type { RobotRecord, RobotStore } from './robot-record.ts';

/** Options of {@link openRobots}. */
export interface RobotsOptions {
  /** The time in milliseconds since 1970. Default: `Date.now` */
  now?: (() => number) | undefined;
  /** Milliseconds before its end from which a token counts as ending soon. Default: 14 days */
  warnBefore?: number | undefined;
}

/** A robot to be made. */
export interface NewRobot {
  /** The user that the token logs in as. It need not have a password. */
  user: string;
  /**
   * The most that the token may do. A scope's name may be a pattern, such as `team/**`. `push` includes `pull`, as in
   * rules; `push-only` does not. Default: all that the rules allow to the user
   */
  scopes?: readonly ResourceActions[] | undefined;
  /** When the token ends, in milliseconds since 1970. Default: never */
  expires?: number | undefined;
  /** A text for people. Default: none */
  note?: string | undefined;
}

/** A robot with its state. It has no hash. */
export interface ListedRobot extends Omit<RobotRecord, 'hash'> {
  /** `ending`: it ends soon. */
  readonly state: 'valid' | 'ending' | 'expired';
}

/** The robots of a store: made, listed, revoked, and users that log in with their token as the password. */
export interface Robots extends Users {
  /**
   * Makes a token. It is not stored, so it can be read only now.
   *
   * @throws TypeError if the user or a scope cannot be one, RangeError if the end has passed
   */
  create(robot: NewRobot): Promise<{ token: string; robot: ListedRobot }>;
  /** Lists all robots as the store has them, expired ones too. */
  list(): Promise<ListedRobot[]>;
  /**
   * Revokes a token by its id. It ends at once here, and within a second where the file is watched.
   *
   * @returns false if no token has this id
   */
  revoke(id: string): Promise<boolean>;
  /** The robots that end soon or have expired, for a log or a metric. It reads no file. */
  ending(): ListedRobot[];
  /** Reads the store again. */
  reload(): Promise<void>;
}

/** The beginning of every token, by which people and scanners for secrets recognise it. */
const prefix = 'ocikit_';
const tokenPattern = /^ocikit_([0-9a-f]{12})_([0-9a-f]{64})$/;
const day = 24 * 60 * 60_000;

/**
 * True if the text has the form of a robot's token.
 *
 * @example isRobotToken(password) // then it needs no check against a file of passwords
 */
export function isRobotToken(text: string): boolean {
  return tokenPattern.test(text);
}

/**
 * Opens the robots of a store.
 *
 * @example
 * const robots = await openRobots(robotsFile('robots.json'));
 * const { token } = await robots.create({ user: 'ci', scopes: parseScopes('repository:team/app:pull') });
 * await robots.check('ci', token); // the identity of ci, which may pull from team/app at most
 */
export async function openRobots(store: RobotStore, options: RobotsOptions = {}): Promise<Robots> {
  const robots = new OpenRobots(store, options);
  await robots.reload();
  return robots;
}

interface KnownRobot {
  readonly record: RobotRecord;
  readonly identity: Identity;
}

class OpenRobots implements Robots {
  readonly #store: RobotStore;
  readonly #now: () => number;
  readonly #warnBefore: number;
  readonly #listeners = new Set<() => void>();
  #byId = new Map<string, KnownRobot>();
  #byUser = new Map<string, KnownRobot[]>();

  constructor(store: RobotStore, { now = Date.now, warnBefore = 14 * day }: RobotsOptions) {
    this.#store = store;
    this.#now = now;
    this.#warnBefore = warnBefore;
  }

  async create({ user, scopes, expires, note }: NewRobot): Promise<{ token: string; robot: ListedRobot }> {
    const unfit = unfitUserName(user);
    if (unfit !== undefined) throw new TypeError(unfit);
    const created = this.#now();
    if (expires !== undefined && !(expires > created)) throw new RangeError('the end of the token has already passed');
    const id = randomHex(6);
    const secret = randomHex(32);
    const limit = scopes === undefined ? undefined : checkedScopes(scopes);
    const record: RobotRecord = { id, user, scopes: limit, created, expires, hash: hashOf(id, secret), note };
    await this.#store.update((robots) => [...robots, record]);
    await this.reload();
    return { token: `${prefix}${id}_${secret}`, robot: this.#listed(record) };
  }

  async list(): Promise<ListedRobot[]> {
    return (await this.#store.read()).map((record) => this.#listed(record));
  }

  async revoke(id: string): Promise<boolean> {
    let found = false;
    await this.#store.update((robots) => {
      const rest = robots.filter((robot) => robot.id !== id);
      found = rest.length < robots.length;
      return rest;
    });
    await this.reload();
    return found;
  }

  ending(): ListedRobot[] {
    const all = Array.from(this.#byId.values(), ({ record }) => this.#listed(record));
    return all.filter(({ state }) => state !== 'valid');
  }

  async reload(): Promise<void> {
    const records = await this.#store.read();
    const before = this.#byId;
    this.#byId = new Map(
      records.map((record) => {
        const known = before.get(record.id);
        // The same object, as decisions are remembered by it.
        const identity = known !== undefined && isSame(known.record, record) ? known.identity : identityOfRobot(record);
        return [record.id, { record, identity }];
      }),
    );
    this.#byUser = new Map();
    for (const robot of this.#byId.values()) getOrSet(this.#byUser, robot.record.user, () => []).push(robot);
    for (const listener of this.#listeners) listener();
  }

  check(user: string, password: string): Promise<Identity | undefined> {
    const [, id = '', secret = ''] = tokenPattern.exec(password) ?? [];
    const found = this.#byId.get(id);
    // Compared by their hashes, so the time of the comparison tells nothing about the token.
    if (found === undefined || found.record.hash !== hashOf(id, secret)) return Promise.resolve(undefined);
    const { record, identity } = found;
    const isValid = record.user === user && this.#stateOf(record) !== 'expired';
    return Promise.resolve(isValid ? identity : undefined);
  }

  find(user: string): Promise<UserEntry[]> {
    const valid = (this.#byUser.get(user) ?? []).filter(({ record }) => this.#stateOf(record) !== 'expired');
    return Promise.resolve(valid.map(({ record, identity }) => ({ identity, stamp: record.hash })));
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  #listed(record: RobotRecord): ListedRobot {
    const { id, user, scopes, created, expires, note } = record;
    return { id, user, scopes, created, expires, note, state: this.#stateOf(record) };
  }

  #stateOf({ expires }: RobotRecord): ListedRobot['state'] {
    if (expires === undefined) return 'valid';
    const left = expires - this.#now();
    if (left <= 0) return 'expired';
    return left <= this.#warnBefore ? 'ending' : 'valid';
  }
}

/** @throws TypeError that names the faulty scope */
function checkedScopes(scopes: readonly ResourceActions[]): ResourceActions[] {
  const checked = scopes.map(({ type, name, actions }): ResourceActions => {
    const scope = JSON.stringify(`${type}:${name}:${actions.join(',')}`);
    if (type === 'registry' && name === 'catalog' && actions.join(',') === '*') return { type, name, actions };
    if (type !== 'repository') throw new TypeError(`${scope} is no scope: write repository:NAME:ACTIONS`);
    const pattern = name.includes(userPart) ? `${userPart} has no meaning in a scope` : parsePattern(name);
    if (typeof pattern === 'string') throw new TypeError(`${scope} is no scope: ${pattern}`);
    const unknown = actions.find((action) => action !== '*' && !isAccessAction(action));
    if (unknown !== undefined) {
      throw new TypeError(`${scope} is no scope: ${JSON.stringify(unknown)} is none of ${accessActions.join(', ')}`);
    }
    return { type, name, actions: actions.flatMap((action) => (action === 'push' ? ['pull', 'push'] : [action])) };
  });
  const united = unitedScopes(checked);
  if (united.length === 0)
    throw new TypeError('the list of scopes is empty: leave it out to allow all that rules allow');
  return united;
}

function identityOfRobot({ id, user, scopes, expires }: RobotRecord): Identity {
  return identityOf(user, { claims: { robot: id }, expires, scopes });
}

function isSame(one: RobotRecord, other: RobotRecord): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** The id is part of it, so that the secret of one token fits no other. */
function hashOf(id: string, secret: string): string {
  return digestOf(new TextEncoder().encode(`${id}:${secret}`));
}

function randomHex(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
