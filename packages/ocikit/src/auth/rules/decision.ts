// The outcome of judging one action of one caller in one repository.
import type { Identity } from '../../model/index.ts';

import type { JudgedAction } from './actions.ts';

/** The rule behind a decision. */
export interface DecidingRule {
  /** Its place in the document, such as `rules[3]`. */
  readonly path: string;
  /** Its name in the document, if it has one. */
  readonly name: string | undefined;
  /** The effect of the rule. */
  readonly effect: 'allow' | 'deny';
}

/**
 * The outcome of judging an action.
 *
 * @example
 * const decision: Decision = rules.decide(identity, 'push', 'team/app');
 * if (!decision.allowed) throw new RegistryError('DENIED', decision.reason);
 */
export interface Decision {
  /** True if the caller may. */
  readonly allowed: boolean;
  /** The rule that decides; undefined if no rule allows it, or if the login itself forbids it. */
  readonly rule: DecidingRule | undefined;
  /** One sentence for the caller, without a full stop. */
  readonly reason: string;
}

/** Why a login itself forbids an action, whatever the rules say. */
export type LoginRefusal = 'expired' | 'scope' | 'name';

/** The parts of a decision. */
export interface Outcome {
  /** See {@link Decision.allowed}. */
  readonly allowed: boolean;
  /** See {@link Decision.rule}. */
  readonly rule?: DecidingRule | undefined;
  /** Why the login itself forbids it. */
  readonly refusal?: LoginRefusal | undefined;
}

/** A decision whose sentence is made only if it is read: most decisions are read by no person. */
export class JudgedDecision implements Decision {
  readonly allowed: boolean;
  readonly rule: DecidingRule | undefined;
  readonly #user: string | undefined;
  readonly #action: JudgedAction;
  readonly #repository: string;
  readonly #refusal: LoginRefusal | undefined;

  constructor(identity: Identity, action: JudgedAction, repository: string, outcome: Outcome) {
    this.allowed = outcome.allowed;
    this.rule = outcome.rule;
    this.#user = identity.user;
    this.#action = action;
    this.#repository = repository;
    this.#refusal = outcome.refusal;
  }

  get reason(): string {
    if (this.#refusal === 'name') return `${quoted(this.#repository)} is not the name of a repository`;
    const who = this.#user === undefined || this.#user === '' ? 'an anonymous caller' : shown(this.#user);
    return `${who} ${this.allowed ? 'may' : 'may not'} ${phrases[this.#action]} ${this.#repository}: ${this.#why()}`;
  }

  #why(): string {
    if (this.#refusal === 'expired') return 'the login has expired';
    if (this.#refusal === 'scope') return 'the scopes of this login do not include it';
    if (this.rule === undefined) return 'no rule allows it';
    const { path, name, effect } = this.rule;
    const rule = name === undefined ? path : `the rule ${quoted(name)}`;
    return `${rule} ${effect === 'allow' ? 'allows' : 'denies'} it`;
  }

  /** For logs: the sentence counts as a field. */
  toJSON(): Decision {
    const { allowed, rule, reason } = this;
    return { allowed, rule, reason };
  }
}

const phrases: Readonly<Record<JudgedAction, string>> = {
  pull: 'pull from',
  push: 'push to',
  overwrite: 'move existing tags of',
  delete: 'delete from',
  list: 'list',
  history: 'read the history of',
};

function shown(user: string): string {
  return /^[\w@.+-]{1,80}$/.test(user) ? user : quoted(user);
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
