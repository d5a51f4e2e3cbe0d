// Access rules, compiled once and asked at every request.
import { isRepository } from '../../model/index.ts';
import type { Identity } from '../../model/index.ts';

import { PatternTree, userInNames } from '../patterns/index.ts';
import { scopesInclude } from '../scopes/index.ts';

import { Recent } from '../shared/index.ts';

import { allowedBy, deniedBy, judgedAction, judgedActions } from './actions.ts';
import type { AccessAction, JudgedAction } from './actions.ts';
import { JudgedDecision } from './decision.ts';
import type { DecidingRule, Decision, Outcome } from './decision.ts';
import { parseDocument } from './document.ts';
import type { ParsedDocument, ParsedRule, RulesDocument } from './document.ts';
import { scopeLimit } from './scope-limit.ts';
import type { ScopeLimit } from './scope-limit.ts';
import { callerOf, SubjectIndex } from './subject-index.ts';
import type { Caller, IndexedClaims } from './subject-index.ts';

/** Options of {@link accessRules}. */
export interface AccessRulesOptions {
  /** The time in milliseconds since 1970, which ends identities. Default: `Date.now` */
  now?: (() => number) | undefined;
}

/**
 * Rules that judge callers.
 *
 * @example
 * const rules: AccessRules = accessRules({
 *   rules: [{ allow: 'pull', repositories: '**', subjects: 'anonymous' }],
 * });
 */
export interface AccessRules {
  /**
   * Judges an action. The answer for one identity object, repository and action is remembered.
   *
   * @param action `push-only` is judged as `push`
   * @param repository a name that is no repository's is refused, and fits no pattern
   */
  decide(identity: Identity, action: AccessAction, repository: string): Decision;
  /** True if the list of all repositories shows this one to the caller. */
  mayList(identity: Identity, repository: string): boolean;
  /** True if some rule could show the caller a repository in a list. */
  mayListSome(identity: Identity): boolean;
}

interface CompiledRule extends DecidingRule {
  /** The number of the rule in the document. */
  readonly index: number;
  readonly actions: readonly JudgedAction[];
}

/** Remembered decisions: pairs of an identity and a repository. */
const mostRemembered = 16_384;

/** Longer texts are no names, and are not remembered. */
const longestName = 255;

/** An identity, prepared for judging. */
interface Known {
  /** Differs for each identity object. */
  readonly id: number;
  readonly caller: Caller;
  readonly limit: ScopeLimit | undefined;
}

/**
 * Compiles access rules. Everything that no rule allows is denied. An action that some rule allows is allowed, unless a
 * rule denies it. The order of the rules has no meaning.
 *
 * @example
 * const rules = accessRules(JSON.parse(text));
 * const { allowed, reason } = rules.decide(identityOf('alice'), 'push', 'team/app');
 * @param document it is checked as a whole, so it may come from a file
 * @throws RulesError that names each fault with its place, such as `rules[3].repositories[0]`
 */
export function accessRules(document: RulesDocument, options: AccessRulesOptions = {}): AccessRules {
  return new CompiledRules(parseDocument(document), options.now ?? Date.now);
}

class CompiledRules implements AccessRules {
  readonly #tree = new PatternTree<SubjectIndex<CompiledRule>>();
  readonly #listing = new SubjectIndex<true>();
  readonly #claims: IndexedClaims = new Set();
  readonly #groupsOf: ParsedDocument['groupsOf'];
  readonly #now: () => number;
  /** An identity is known as long as its owner keeps it: a token's, until the token is forgotten. */
  readonly #known = new WeakMap<Identity, Known>();
  readonly #decisions = new Recent<ReadonlyMap<JudgedAction, Decision>>(mostRemembered);
  #identities = 0;

  constructor({ rules, groupsOf }: ParsedDocument, now: () => number) {
    this.#groupsOf = groupsOf;
    this.#now = now;
    for (const [index, rule] of rules.entries()) this.#add(index, rule);
  }

  #add(index: number, rule: ParsedRule): void {
    const { effect, path, name, subjects, patterns } = rule;
    const words = effect === 'allow' ? allowedBy : deniedBy;
    const actions = [...new Set(rule.actions.flatMap((action) => words[action]))];
    const compiled: CompiledRule = { index, effect, path, name, actions };
    for (const subject of subjects) {
      for (const pattern of patterns) {
        const rulesThere = this.#tree.at(pattern, () => new SubjectIndex());
        rulesThere.add(effect, subject, compiled, this.#claims);
      }
      if (effect === 'allow' && actions.includes('list')) this.#listing.add(effect, subject, true, this.#claims);
    }
  }

  decide(identity: Identity, action: AccessAction, repository: string): Decision {
    const judged = judgedAction(action);
    if (this.#isExpired(identity)) {
      return new JudgedDecision(identity, judged, repository, { allowed: false, refusal: 'expired' });
    }
    if (repository.length > longestName) {
      return new JudgedDecision(identity, judged, repository, { allowed: false, refusal: 'name' });
    }
    const known = this.#knownOf(identity);
    const key = `${known.id}:${repository}`;
    let decisions = this.#decisions.get(key);
    if (decisions === undefined) {
      decisions = this.#judge(identity, known, repository, judgedActions);
      this.#decisions.set(key, decisions);
    }
    const decision = decisions.get(judged);
    return decision ?? new JudgedDecision(identity, judged, repository, { allowed: false });
  }

  mayList(identity: Identity, repository: string): boolean {
    if (this.#isExpired(identity)) return false;
    const known = this.#knownOf(identity);
    if (identity.scopes !== undefined && scopesInclude(identity.scopes, 'registry', 'catalog', '*')) {
      // The scope stands for the whole list, as far as the login itself may see it.
      if (identity.login !== undefined) return this.mayList(identity.login, repository);
      const all = this.#judge(identity, { ...known, limit: undefined }, repository, ['list']);
      return all.get('list')?.allowed === true;
    }
    // A list of all repositories must not push out the decisions that requests need.
    const decisions =
      this.#decisions.get(`${known.id}:${repository}`) ?? this.#judge(identity, known, repository, ['list']);
    return decisions.get('list')?.allowed === true;
  }

  mayListSome(identity: Identity): boolean {
    if (this.#isExpired(identity)) return false;
    return this.#listing.find(this.#knownOf(identity).caller).next().done !== true;
  }

  #isExpired({ expires }: Identity): boolean {
    return expires !== undefined && this.#now() >= expires;
  }

  #knownOf(identity: Identity): Known {
    const found = this.#known.get(identity);
    if (found !== undefined) return found;
    const caller = callerOf(identity, this.#groupsOf, this.#claims);
    const made = { id: this.#identities++, caller, limit: scopeLimit(identity.scopes) };
    this.#known.set(identity, made);
    return made;
  }

  #judge(
    identity: Identity,
    { caller, limit }: Known,
    repository: string,
    actions: readonly JudgedAction[],
  ): ReadonlyMap<JudgedAction, Decision> {
    const decision = (action: JudgedAction, outcome: Outcome): [JudgedAction, Decision] => [
      action,
      new JudgedDecision(identity, action, repository, outcome),
    ];
    if (!isRepository(repository)) {
      return new Map(actions.map((action) => decision(action, { allowed: false, refusal: 'name' })));
    }
    const { allow, deny } = this.#decidingRules(caller, repository);
    const left = limit?.(repository);
    return new Map(
      actions.map((action) => {
        const denying = deny.get(action);
        const rule = denying ?? allow.get(action);
        if (denying !== undefined || rule === undefined) return decision(action, { allowed: false, rule });
        if (left?.has(action) === false) return decision(action, { allowed: false, refusal: 'scope' });
        return decision(action, { allowed: true, rule });
      }),
    );
  }

  /** The first rule of each effect for each action. The first one, so that a message does not depend on chance. */
  #decidingRules(caller: Caller, repository: string): Record<'allow' | 'deny', Map<JudgedAction, CompiledRule>> {
    const deciding = { allow: new Map<JudgedAction, CompiledRule>(), deny: new Map<JudgedAction, CompiledRule>() };
    for (const rulesThere of this.#tree.find(repository, userInNames(caller.user))) {
      for (const rule of rulesThere.find(caller)) {
        const byAction = deciding[rule.effect];
        for (const action of rule.actions) {
          const before = byAction.get(action);
          if (before === undefined || rule.index < before.index) byAction.set(action, rule);
        }
      }
    }
    return deciding;
  }
}
