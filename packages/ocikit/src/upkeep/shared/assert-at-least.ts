// Refuses an option whose number is too small, before anything is removed because of it.

/**
 * Checks a numeric option.
 *
 * @param name the option's name, for the message
 * @throws TypeError if the value is below `least`, or not a number
 */
export function assertAtLeast(name: string, value: unknown, least: number): asserts value is number {
  if (typeof value === 'number' && value >= least) return;
  const given = typeof value === 'number' ? value : `a value of type ${typeof value}`;
  throw new TypeError(`${name} is ${given}, but must be a number of at least ${least}`);
}
