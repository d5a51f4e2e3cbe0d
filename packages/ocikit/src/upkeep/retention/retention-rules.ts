import { namePatterns } from './patterns.ts';

/**
 * Which tags stay. A rule speaks of the tags that its patterns match, and of several that do, the first one counts. A tag of
 * which no rule speaks stays.
 */
export interface TagRule {
  /** Patterns of repositories: `*` is any characters but a slash, `**` any, `?` one. Default: all. */
  repositories?: readonly string[] | undefined;
  /** Patterns of tags, as those of repositories. Default: all. */
  tags?: readonly string[] | undefined;
  /** A tag stays if any of it says so, else it is deleted. At least one thing has to be said. */
  keep: {
    /**
     * So many of the repository's tags of which the rule speaks: those whose manifests were stored last (`createdAt` of
     * Maintenance; in a directory, the last time that the manifest was pushed). Of the same time, the last in byte order.
     */
    last?: number | undefined;
    /** Milliseconds: tags whose manifest was pushed, pulled or asked for so lately. */
    usedWithin?: number | undefined;
    /** Milliseconds: tags whose manifest was stored so lately. */
    createdWithin?: number | undefined;
    /** Patterns of tags. */
    tags?: readonly string[] | undefined;
  };
}

/** Which manifests without a tag go that nothing reaches, neither an index nor a subject. Of several rules, the first one counts. */
export interface UntaggedRule {
  /** Patterns of repositories. Default: all. */
  repositories?: readonly string[] | undefined;
  /** Milliseconds: what was pushed, pulled or asked for so lately stays, with what it names. */
  keepUsedWithin: number;
}

export interface RetentionRules {
  tags?: readonly TagRule[] | undefined;
  untagged?: readonly UntaggedRule[] | undefined;
}

/** A rule that has been looked through. */
export interface ReadTagRule {
  /** Where it stands among the rules for tags, from 0. */
  number: number;
  isFor: (repository: string) => boolean;
  speaksOf: (tag: string) => boolean;
  keepsName: (tag: string) => boolean;
  last: number;
  usedWithin: number;
  createdWithin: number;
}

export interface ReadUntaggedRule {
  number: number;
  isFor: (repository: string) => boolean;
  keepUsedWithin: number;
}

const everything: readonly string[] = ['**'];

/** @throws TypeError for a rule that says nothing, or no number where there has to be one: it would delete too much */
export function readRules({ tags = [], untagged = [] }: RetentionRules): {
  tags: ReadTagRule[];
  untagged: ReadUntaggedRule[];
} {
  return { tags: tags.map(readTagRule), untagged: untagged.map(readUntaggedRule) };
}

function readTagRule({ repositories = everything, tags = everything, keep }: TagRule, number: number): ReadTagRule {
  const what = `rule ${number} for tags`;
  const { last, usedWithin, createdWithin, tags: names } = keep;
  if (last === undefined && usedWithin === undefined && createdWithin === undefined && names === undefined) {
    throw new TypeError(`${what} says nothing that it keeps: it would delete everything`);
  }
  return {
    number,
    isFor: namePatterns(repositories),
    speaksOf: namePatterns(tags),
    keepsName: namePatterns(names ?? []),
    last: checked(last, `${what}: keep.last`),
    usedWithin: checked(usedWithin, `${what}: keep.usedWithin`),
    createdWithin: checked(createdWithin, `${what}: keep.createdWithin`),
  };
}

function readUntaggedRule(rule: UntaggedRule, number: number): ReadUntaggedRule {
  const { repositories = everything } = rule;
  // From a file, it may be missing all the same.
  const within: unknown = rule.keepUsedWithin;
  if (within === undefined) throw new TypeError(`rule ${number} for untagged manifests has no keepUsedWithin`);
  const keepUsedWithin = checked(within, `rule ${number} for untagged manifests: keepUsedWithin`);
  return { number, isFor: namePatterns(repositories), keepUsedWithin };
}

/** What is not said keeps nothing. */
function checked(value: unknown, what: string): number {
  if (value === undefined) return 0;
  if (typeof value === 'number' && value >= 0) return value;
  throw new TypeError(`${what} is ${typeof value === 'number' ? value : typeof value}, and has to be 0 or more`);
}
