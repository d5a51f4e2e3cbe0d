// The rules of retention, and their validation.
import { assertAtLeast } from '../shared/index.ts';

import { namePatterns } from './patterns.ts';

/**
 * A rule that says which tags stay. It applies to the tags that its patterns match. If several rules match a tag, the
 * first one applies. If no rule matches, the tag stays.
 *
 * No rule applies to tags that attach content to a manifest by its digest: `sha256-<hex>`, also with `.sig`, `.att` or
 * `.sbom` after it. They stay as long as that manifest; garbage collection deletes them after it.
 */
export interface TagRule {
  /** Patterns of repositories: `*` is any text without a slash, `**` any text, `?` one character. Default: all. */
  repositories?: readonly string[] | undefined;
  /** Patterns of tags, in the same form. Default: all. */
  tags?: readonly string[] | undefined;
  /** A tag stays if at least one of these conditions holds, else it is deleted. At least one must be given. */
  keep: {
    /**
     * Keep this many of the repository's matching tags: those whose manifests were stored last (`createdAt` of
     * Maintenance; in a directory, the last push of the manifest). Tags of the same time count in byte order, last
     * first.
     */
    last?: number | undefined;
    /** Milliseconds. Keep tags whose manifest was pushed or read within this time. */
    usedWithin?: number | undefined;
    /** Milliseconds. Keep tags whose manifest was stored within this time. */
    createdWithin?: number | undefined;
    /** Keep tags that match one of these patterns. */
    tags?: readonly string[] | undefined;
  };
}

/** A rule that says which unreachable manifests go. If several rules match a repository, the first one applies. */
export interface UntaggedRule {
  /** Patterns of repositories, as in {@link TagRule}. Default: all. */
  repositories?: readonly string[] | undefined;
  /** Milliseconds. Manifests that were pushed or read within this time stay, with all that they name. */
  keepUsedWithin: number;
}

/** All rules of a retention run. */
export interface RetentionRules {
  /** Rules for tags. Default: none, and all tags stay. */
  tags?: readonly TagRule[] | undefined;
  /** Rules for manifests that no tag reaches. Default: none, and all of them stay. */
  untagged?: readonly UntaggedRule[] | undefined;
}

/** A valid rule for tags, with its patterns compiled and its defaults filled in. */
export interface ParsedTagRule {
  /** Its index among the rules for tags. */
  number: number;
  /** Whether it applies to a repository. */
  appliesTo: (repository: string) => boolean;
  /** Whether it applies to a tag of such a repository. */
  appliesToTag: (tag: string) => boolean;
  /** Whether a tag stays because of its name. */
  keepsTag: (tag: string) => boolean;
  /** How many of the newest tags stay. */
  last: number;
  /** Milliseconds within which a use keeps the tag. */
  usedWithin: number;
  /** Milliseconds for which a new manifest keeps the tag. */
  createdWithin: number;
}

/** A valid rule for untagged manifests, with its patterns compiled. */
export interface ParsedUntaggedRule {
  /** Its index among the rules for untagged manifests. */
  number: number;
  /** Whether it applies to a repository. */
  appliesTo: (repository: string) => boolean;
  /** Milliseconds within which a use keeps the manifest. */
  keepUsedWithin: number;
}

const everything: readonly string[] = ['**'];

/** A pattern for these tags has this beginning or one of these ends; other patterns match them only by chance. */
const forAttachedTags = /^sha(?:256|384|512)-|\.(?:sig|att|sbom)$/;

/** Gives a message for each rule with a pattern for tags to which no rule applies. */
export function warningsFor({ tags = [] }: RetentionRules): string[] {
  return tags.flatMap(({ tags: matched = [], keep }, number) => {
    const named = [...matched, ...(keep.tags ?? [])].filter((text) => forAttachedTags.test(text));
    if (named.length === 0) return [];
    return `rule ${number} for tags names ${named.map((text) => JSON.stringify(text)).join(', ')}, but no rule applies to \
signatures and other tags of the form sha256-<hex>: such a tag stays as long as the manifest it belongs to, and garbage \
collection removes it afterwards. Remove the pattern`;
  });
}

/**
 * Validates and compiles rules.
 *
 * @throws TypeError if a rule has no condition, or a number is malformed: such a rule would delete too much
 */
export function parseRules({ tags = [], untagged = [] }: RetentionRules): {
  tags: ParsedTagRule[];
  untagged: ParsedUntaggedRule[];
} {
  return { tags: tags.map(parseTagRule), untagged: untagged.map(parseUntaggedRule) };
}

function parseTagRule({ repositories = everything, tags = everything, keep }: TagRule, number: number): ParsedTagRule {
  const what = `rule ${number} for tags`;
  const { last, usedWithin, createdWithin, tags: names } = keep;
  if (last === undefined && usedWithin === undefined && createdWithin === undefined && names === undefined) {
    throw new TypeError(
      `${what} names no tags that it keeps: it would delete everything. ` +
        'Give at least one of keep.last, keep.usedWithin, keep.createdWithin and keep.tags',
    );
  }
  return {
    number,
    appliesTo: namePatterns(repositories),
    appliesToTag: namePatterns(tags),
    keepsTag: namePatterns(names ?? []),
    last: checked(last, `${what}: keep.last`),
    usedWithin: checked(usedWithin, `${what}: keep.usedWithin`),
    createdWithin: checked(createdWithin, `${what}: keep.createdWithin`),
  };
}

function parseUntaggedRule(rule: UntaggedRule, number: number): ParsedUntaggedRule {
  const { repositories = everything } = rule;
  // Rules read from a file may lack it, despite the type.
  const within: unknown = rule.keepUsedWithin;
  if (within === undefined)
    throw new TypeError(`rule ${number} for untagged manifests lacks keepUsedWithin, a number of milliseconds`);
  const keepUsedWithin = checked(within, `rule ${number} for untagged manifests: keepUsedWithin`);
  return { number, appliesTo: namePatterns(repositories), keepUsedWithin };
}

/** A condition that is not given keeps nothing. */
function checked(value: unknown, name: string): number {
  if (value === undefined) return 0;
  assertAtLeast(name, value, 0);
  return value;
}
