// The errors with which a view refuses a repository.
import { isRegistryError, RegistryError } from '../../model/index.ts';

/** The view shows no such repository. */
export function nameUnknown(repository: string): RegistryError {
  return new RegistryError('NAME_UNKNOWN', `repository ${repository} is not known`, { detail: { name: repository } });
}

/** The view takes no pushes to this repository. */
export function pushDenied(repository: string): RegistryError {
  return new RegistryError('DENIED', `nothing may be pushed to ${repository}`, { detail: { name: repository } });
}

/** Whether a registry does not have a manifest or a tag, or its repository. */
export function isManifestUnknown(error: unknown): boolean {
  return isRegistryError(error, 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN', 'NOT_FOUND');
}

/** A list that fails when its first item is asked for. */
export function failingList(fail: () => Promise<never>): AsyncIterable<never> {
  return { [Symbol.asyncIterator]: () => ({ next: fail }) };
}
