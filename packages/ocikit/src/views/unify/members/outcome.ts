import { RegistryError } from '../../../model/index.ts';
import type { Descriptor, Digest } from '../../../model/index.ts';

import { leastTemporary, PartialWriteError } from './errors.ts';
import { failuresIn, valuesIn } from './member.ts';
import type { MemberAnswer } from './member.ts';

/**
 * What came of a change that all were asked for.
 *
 * @param what the change, as an error begins
 * @returns what the first member says
 * @throws PartialWriteError if some have made it; if none has, the error that is most likely to last
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

/** A member that stores something else than it was sent has not stored it. */
export function assertStored(found: Descriptor, digest: Digest): Descriptor {
  if (found.digest === digest) return found;
  throw new RegistryError('UNKNOWN', `the registry says that it has stored ${found.digest}, and not ${digest}`);
}
