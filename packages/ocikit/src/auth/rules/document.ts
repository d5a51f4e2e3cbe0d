// The document of access rules: its form, and every fault in it with the place.
import { parsePattern } from '../patterns/index.ts';
import type { Segment } from '../patterns/index.ts';

import { accessActions, isAccessAction } from './actions.ts';
import type { AccessAction } from './actions.ts';
import { suggestion } from './suggestion.ts';

/** A value in a claim that a subject asks for. */
export type ClaimValue = string | number | boolean;

/**
 * The callers that a rule is for.
 *
 * - `anonymous`: callers without credentials. In `allow`, that is every caller, as each could come without credentials.
 * - `authenticated`: all others. `everyone`: both.
 * - An object: callers to which all of its fields apply. If a field has several values, one suffices.
 *
 * @example
 * const main: Subject = { claims: { repository: 'acme/app', ref: ['refs/heads/main', 'refs/heads/stable'] } };
 */
export type Subject =
  | 'anonymous'
  | 'authenticated'
  | 'everyone'
  | {
      /** Names of users, exactly as they log in. */
      readonly user?: string | readonly string[];
      /** Names of groups. */
      readonly group?: string | readonly string[];
      /** Values of claims, by the name of the claim. A claim that is a list has each of its values. */
      readonly claims?: Readonly<Record<string, ClaimValue | readonly ClaimValue[]>>;
    };

/**
 * One rule: who may, or may not, do what where. It has either `allow` or `deny`.
 *
 * @example
 * const rule: AccessRule = { allow: ['push', 'overwrite'], repositories: 'team/**', subjects: { group: 'dev' } };
 */
export interface AccessRule {
  /** The actions that it allows; `*` for all. */
  readonly allow?: AccessAction | '*' | readonly AccessAction[];
  /** The actions that it denies, whatever other rules allow; `*` for all. */
  readonly deny?: AccessAction | '*' | readonly AccessAction[];
  /** Patterns of repository names. `*` stands for characters of one part, `**` for parts, `${user}` for the caller. */
  readonly repositories: string | readonly string[];
  /** The callers. */
  readonly subjects: Subject | readonly Subject[];
  /** A name for messages. Default: the place of the rule, such as `rules[3]`. */
  readonly name?: string;
}

/**
 * Access rules as plain data, for example from a JSON or YAML file. The order of rules does not matter.
 *
 * @example
 * const document: RulesDocument = {
 *   groups: { developers: ['alice', 'bob'] },
 *   rules: [
 *     { allow: 'pull', repositories: 'public/**', subjects: 'anonymous' },
 *     { allow: ['push', 'overwrite'], repositories: 'team/**', subjects: { group: 'developers' } },
 *     { deny: ['overwrite', 'delete'], repositories: 'team/releases', subjects: 'everyone' },
 *   ],
 * };
 */
export interface RulesDocument {
  /** Users by group. They join the groups that the identity of a caller has. Default: none. */
  readonly groups?: Readonly<Record<string, readonly string[]>>;
  /** The rules. Without any, everything is denied. */
  readonly rules: readonly AccessRule[];
}

/** A fault in a document of rules. */
export interface RulesProblem {
  /** The place, such as `rules[3].repositories[0]`; empty for the document as a whole. */
  readonly path: string;
  /** The fault and its remedy. */
  readonly message: string;
}

/**
 * A document of rules cannot be used. `problems` has all faults.
 *
 * @example
 * if (error instanceof RulesError) for (const { path, message } of error.problems) console.error(path, message);
 */
export class RulesError extends Error {
  override readonly name = 'RulesError';
  /** The faults, in the order of the document. */
  readonly problems: readonly RulesProblem[];

  constructor(problems: readonly RulesProblem[]) {
    super(problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('\n'));
    this.problems = problems;
  }
}

/** A subject with all of its conditions. */
export interface ParsedSubject {
  readonly kind: 'anonymous' | 'authenticated' | 'everyone' | 'some';
  readonly users: readonly string[] | undefined;
  readonly groups: readonly string[] | undefined;
  readonly claims: readonly (readonly [name: string, values: readonly ClaimValue[]])[];
}

/** A rule without faults. */
export interface ParsedRule {
  readonly effect: 'allow' | 'deny';
  readonly actions: readonly AccessAction[];
  readonly patterns: readonly (readonly Segment[])[];
  readonly subjects: readonly ParsedSubject[];
  readonly path: string;
  readonly name: string | undefined;
}

/** A document without faults. */
export interface ParsedDocument {
  /** Groups by user. */
  readonly groupsOf: ReadonlyMap<string, readonly string[]>;
  readonly rules: readonly ParsedRule[];
}

/**
 * Checks and parses a document.
 *
 * @throws RulesError with all faults
 */
export function parseDocument(document: unknown): ParsedDocument {
  const parser = new Parser();
  const parsed = parser.document(document);
  if (parser.problems.length > 0) throw new RulesError(parser.problems);
  return parsed;
}

type Fields = Readonly<Record<string, unknown>>;

class Parser {
  readonly problems: RulesProblem[] = [];

  document(value: unknown): ParsedDocument {
    const fields = this.#fields('', value, ['groups', 'rules'], 'a document of rules');
    const rules = fields['rules'];
    if (value !== undefined && value !== null && this.problems.length === 0 && rules === undefined) {
      this.#problem('', 'rules is missing: write an empty list to deny everything');
    }
    return {
      groupsOf: this.#groups(fields['groups']),
      rules: rules === undefined ? [] : this.#list('rules', rules, (path, rule) => this.#rule(path, rule)),
    };
  }

  #problem(path: string, message: string): void {
    this.problems.push({ path, message });
  }

  /** The fields of an object; none if it is no object. Reports unknown ones. */
  #fields(path: string, value: unknown, known: readonly string[], what: string): Fields {
    if (value === undefined || value === null) {
      this.#problem(path, `it is empty, and must be ${what} with ${known.join(', ')}`);
      return {};
    }
    if (typeof value !== 'object' || Array.isArray(value)) {
      this.#problem(path, `it is ${kindOf(value)}, and must be ${what} with ${known.join(', ')}`);
      return {};
    }
    for (const key of Object.keys(value)) {
      if (known.includes(key)) continue;
      this.#problem(within(path, key), `the field is unknown: ${suggestion(key, known)}`);
    }
    // Fields of a prototype are no fields of the document.
    return Object.fromEntries(Object.entries(value));
  }

  #list<T>(path: string, value: unknown, each: (path: string, value: unknown) => T | undefined): T[] {
    if (!Array.isArray(value)) {
      this.#problem(path, `it is ${kindOf(value)}, and must be a list`);
      return [];
    }
    return value.map((one, i) => each(`${path}[${i}]`, one)).filter((one) => one !== undefined);
  }

  /** A list that is not empty, or one value of it. */
  #some<T>(path: string, value: unknown, each: (path: string, value: unknown) => T | undefined): T[] {
    if (value === undefined || value === null) {
      this.#problem(path, 'it is missing');
      return [];
    }
    if (!Array.isArray(value)) return [each(path, value)].filter((one) => one !== undefined);
    if (value.length === 0) this.#problem(path, 'the list is empty');
    return this.#list(path, value, each);
  }

  #text(path: string, value: unknown, what: string): string | undefined {
    if (typeof value === 'string' && value !== '') return value;
    const found = value === '' ? 'empty' : kindOf(value);
    this.#problem(path, `it is ${found}, and must be ${what}${typeof value === 'number' ? ': put it in quotes' : ''}`);
    return undefined;
  }

  #groups(value: unknown): Map<string, string[]> {
    const groupsOf = new Map<string, string[]>();
    if (value === undefined || value === null) return groupsOf;
    if (typeof value !== 'object' || Array.isArray(value)) {
      this.#problem('groups', `it is ${kindOf(value)}, and must name the users of each group`);
      return groupsOf;
    }
    for (const [group, users] of Object.entries(value)) {
      const path = within('groups', group);
      // A group may be empty for a while.
      for (const user of this.#list(path, users ?? [], (at, one) => this.#text(at, one, 'the name of a user'))) {
        groupsOf.set(user, [...(groupsOf.get(user) ?? []), group]);
      }
    }
    return groupsOf;
  }

  #rule(path: string, value: unknown): ParsedRule | undefined {
    const before = this.problems.length;
    const fields = this.#fields(path, value, ['allow', 'deny', 'repositories', 'subjects', 'name'], 'a rule');
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined;
    const { allow, deny } = fields;
    if (allow === undefined && deny === undefined) this.#problem(path, 'it has neither allow nor deny');
    if (allow !== undefined && deny !== undefined) {
      this.#problem(path, 'it has both allow and deny: make two rules of it');
    }
    const effect = deny === undefined ? 'allow' : 'deny';
    const words = fields[effect];
    const actions = words === undefined ? [] : this.#actions(`${path}.${effect}`, words);
    const patterns = this.#some(`${path}.repositories`, fields['repositories'], (at, one) => this.#pattern(at, one));
    const subjects = this.#some(`${path}.subjects`, fields['subjects'], (at, one) => this.#subject(at, one));
    const name = fields['name'] === undefined ? undefined : this.#text(`${path}.name`, fields['name'], 'a text');
    if (this.problems.length > before) return undefined;
    return { effect, actions, patterns, subjects, path, name };
  }

  #actions(path: string, value: unknown): AccessAction[] {
    if (value === '*') return [...accessActions];
    return this.#some(path, value, (at, one) => {
      const text = this.#text(at, one, 'an action');
      if (text === undefined || isAccessAction(text)) return text;
      const hint = text === '*' ? 'write * alone, without a list' : suggestion(text, accessActions);
      this.#problem(at, `${JSON.stringify(text)} is no action: ${hint}`);
      return undefined;
    });
  }

  #pattern(path: string, value: unknown): readonly Segment[] | undefined {
    const text = this.#text(path, value, 'a pattern of repository names');
    const segments = text === undefined ? undefined : parsePattern(text);
    if (typeof segments !== 'string') return segments;
    this.#problem(path, `${JSON.stringify(text)}: ${segments}`);
    return undefined;
  }

  #subject(path: string, value: unknown): ParsedSubject | undefined {
    const none = { users: undefined, groups: undefined, claims: [] };
    if (typeof value === 'string') {
      if (value === 'anonymous' || value === 'authenticated' || value === 'everyone') return { kind: value, ...none };
      const known = ['anonymous', 'authenticated', 'everyone'];
      const object = /^(user|group|claim)s?\s*[:=]\s*(.+)$/.exec(value);
      const hint =
        object === null
          ? `${suggestion(value, known)}. A user is an object: {user: ${value}}`
          : `write an object: {${object[1] ?? ''}: ${object[2] ?? ''}}`;
      this.#problem(path, `${JSON.stringify(value)} is no subject: ${hint}`);
      return undefined;
    }
    const before = this.problems.length;
    const fields = this.#fields(path, value, ['user', 'group', 'claims'], 'a subject');
    if (this.problems.length > before) return undefined;
    const names = (key: 'user' | 'group'): string[] | undefined =>
      fields[key] === undefined
        ? undefined
        : this.#some(`${path}.${key}`, fields[key], (at, one) => this.#text(at, one, `the name of a ${key}`));
    const subject = { users: names('user'), groups: names('group'), claims: this.#claims(`${path}.claims`, fields) };
    if (this.problems.length > before) return undefined;
    if (subject.users === undefined && subject.groups === undefined && subject.claims.length === 0) {
      this.#problem(path, 'the subject is empty: name a user, a group or claims, or write everyone');
      return undefined;
    }
    return { kind: 'some', ...subject };
  }

  #claims(path: string, { claims }: Fields): [string, ClaimValue[]][] {
    if (claims === undefined) return [];
    if (claims === null || typeof claims !== 'object' || Array.isArray(claims)) {
      this.#problem(path, `it is ${kindOf(claims)}, and must name the value of each claim`);
      return [];
    }
    return Object.entries(claims).map(([name, value]) => [
      name,
      this.#some(within(path, name), value, (at, one) => {
        if (typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean') return one;
        this.#problem(at, `it is ${kindOf(one)}, and must be a text, a number, true or false`);
        return undefined;
      }),
    ]);
  }
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'string') return value.length > 40 ? 'a text' : `the text ${JSON.stringify(value)}`;
  if (typeof value === 'number') return `the number ${value}`;
  return typeof value === 'boolean' ? `${value}` : `a ${typeof value}`;
}

function within(path: string, key: string): string {
  if (!/^[\w-]+$/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === '' ? key : `${path}.${key}`;
}
