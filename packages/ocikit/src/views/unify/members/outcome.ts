// The outcome of a change that several members were asked for.
import { RegistryError } from '../../../model/index.ts';
import type { Descriptor, Digest } from '../../../model/index.ts';

import { leastTemporary, PartialWriteError } from './errors.ts';
import { failuresIn, valuesIn } from './member.ts';
import type { MemberAnswer } from './member.ts';

/**
 * The outcome of a change that all members were asked for.
 *
 * @param what the change, as the beginning of an error's message
 * @returns the first member's answer
 * @throws PartialWriteError if some members have made the change; if none has, the error that is least temporary
 */
export function outcomeOf<T>(what: string, answers: readonly MemberAnswer<T>[]): T {
  const [done, failures] = [valuesIn(answers), failuresIn(answers)];
  const [first] = done;
  if (first === undefined) throw leastTemporary(failures);
  if (failures.length === 0) return first.value;
  throw new PartialWriteError(
    what,
    done.map(({ member }) => member),
    failures,
  );
}

/** @throws RegistryError if the member says that it has stored other content */
export function assertStored(found: Descriptor, digest: Digest): Descriptor {
  if (found.digest === digest) return found;
  throw new RegistryError('UNKNOWN', `the registry says that it has stored ${found.digest} instead of ${digest}`);
}
