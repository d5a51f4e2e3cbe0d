// Durations on the command line, such as `90s` or `7d`.
import { InvalidArgumentError, Option } from 'commander';

const units = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);
const pattern = /^([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)$/;

/**
 * Milliseconds of a duration as people write it: `90s`, `1h`, `7d`, `1.5h`; `0` needs no unit.
 *
 * @throws InvalidArgumentError for anything else
 */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  const [, count, unit = ''] = pattern.exec(text) ?? [];
  const milliseconds = Math.round(Number(count) * (units.get(unit) ?? Number.NaN));
  if (Number.isNaN(milliseconds))
    throw new InvalidArgumentError('A duration is a number and ms, s, m, h or d: 90s, 1h, 7d.');
  return milliseconds;
}

/** An option for a grace period; one hour by default. */
export function graceOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser(parseDuration).default(3_600_000, '1h');
}
