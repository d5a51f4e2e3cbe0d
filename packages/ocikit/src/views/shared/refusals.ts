// The errors with which a view refuses a repository.
import { RegistryError } from '../../model/index.ts';

/** The view takes no pushes to this repository. */
export function pushDenied(repository: string): RegistryError {
  return new RegistryError('DENIED', `nothing may be pushed to ${repository}`, { detail: { name: repository } });
}

/** A list that fails when its first item is asked for. */
export function failingList(fail: () => Promise<never>): AsyncIterable<never> {
  return { [Symbol.asyncIterator]: () => ({ next: fail }) };
}
