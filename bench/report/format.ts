// Numbers as text.
import type { Unit } from '../results.ts';
import type { Bounds } from '../statistics.ts';

/** Formats a number with three significant digits: `41.2k`, `983`, `0.52`. */
export function formatNumber(value: number): string {
  if (value >= 9_999.5) return `${threeDigits(value / 1000)}k`;
  return value >= 999.5 ? value.toFixed(0) : threeDigits(value);
}

/** Formats the range of the measurements, for example `40.9k–42.0k`; empty for one measurement. */
export function formatSpread({ min, max, count }: { min: number; max: number; count: number }): string {
  return count === 1 ? '' : `${formatNumber(min)}–${formatNumber(max)}`;
}

/** Formats a ratio and its bounds: `1.03× (0.98–1.09)`; without bounds, `1.03×`. */
export function formatComparison({ ratio, bounds }: { ratio: number; bounds: Bounds | undefined }): string {
  if (bounds === undefined) return formatRatio(ratio);
  const [low, high] = [formatRatio(bounds.low), formatRatio(bounds.high)].map((text) => text.slice(0, -1));
  return `${formatRatio(ratio)} (${low}–${high})`;
}

export function formatRatio(value: number): string {
  return `${value >= 9.995 ? formatNumber(value) : value.toFixed(2)}×`;
}

export function describeUnit(unit: Unit): string {
  return { '/s': 'per second', 'GB/s': 'GB/s', ms: 'ms', MiB: 'MiB', '×': '×' }[unit];
}

function threeDigits(value: number): string {
  if (value >= 99.95) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}
