// The errors of tags: a condition that does not hold, and immutable tags.
import type { Digest } from './digest.ts';
import { RegistryError } from './errors.ts';

/**
 * PRECONDITION_FAILED: the condition `ifTag` does not hold.
 *
 * @example if (found !== undefined) throw tagMoved('v1', null, found);
 * @param expected the digest that the caller expected; null: the tag must not exist
 * @param found the digest that the tag points to; undefined: the tag does not exist
 */
export function tagMoved(tag: string, expected: Digest | null, found: Digest | undefined): RegistryError {
  const state = found === undefined ? 'does not exist' : `points to ${found}`;
  const condition = expected === null ? 'it must not exist' : `it must point to ${expected}`;
  return new RegistryError('PRECONDITION_FAILED', `tag ${tag} ${state}, but ${condition}`, {
    detail: { tag, expected, found },
  });
}

/**
 * DENIED: an immutable tag points to `found`, so that it cannot be moved.
 *
 * @example if (found !== pushed) throw immutableTag('v1', found);
 */
export function immutableTag(tag: string, found: Digest): RegistryError {
  return new RegistryError('DENIED', `tag ${tag} is immutable and points to ${found}: push to another tag`, {
    detail: { tag, found },
  });
}

/**
 * DENIED: an immutable tag needs a manifest of type `found`, so that it cannot be pushed with another type.
 *
 * @example if (found.mediaType !== mediaType) throw immutableType('v1', found.mediaType);
 */
export function immutableType(tag: string, found: string): RegistryError {
  return new RegistryError('DENIED', `tag ${tag} is immutable and needs the manifest with its type ${found}`);
}
