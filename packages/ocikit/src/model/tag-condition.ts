// The condition under which a push sets its tags.
import type { Digest } from './digest.ts';
import { tagMoved } from './tag-errors.ts';

/**
 * The digest that each tag of a push must point to before it; null: the tag must not exist. A map has a condition for
 * each of its tags, and none for the others.
 */
export type TagCondition = Digest | null | ReadonlyMap<string, Digest | null>;

/**
 * Returns the condition on one tag; undefined: it has none.
 *
 * @example conditionOn('v1', new Map([['v1', null]])) // null: the tag must not exist
 */
export function conditionOn(tag: string, ifTag: TagCondition | undefined): Digest | null | undefined {
  return typeof ifTag === 'object' && ifTag !== null ? ifTag.get(tag) : ifTag;
}

/**
 * Checks the condition on a tag.
 *
 * @param found the digest that the tag points to; undefined: the tag does not exist
 * @throws RegistryError PRECONDITION_FAILED if the condition does not hold
 * @example assertCondition('v1', options.ifTag, index.digestOfTag('v1'));
 */
export function assertCondition(tag: string, ifTag: TagCondition | undefined, found: Digest | undefined): void {
  const expected = conditionOn(tag, ifTag);
  if (expected !== undefined && expected !== (found ?? null)) throw tagMoved(tag, expected, found);
}
