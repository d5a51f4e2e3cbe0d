// The known word that an unknown word was probably meant to be.

/** ` (did you mean WORD?)`, if a known word is close; else the list of the known ones. */
export function suggestion(text: string, known: readonly string[]): string {
  const lower = text.toLowerCase();
  const [best] = known
    .map((word) => ({ word, distance: lower === '' ? Infinity : distance(lower, word.toLowerCase()) }))
    .toSorted((one, other) => one.distance - other.distance);
  if (best !== undefined && best.distance <= Math.max(1, Math.floor(best.word.length / 3))) {
    return `did you mean ${best.word}?`;
  }
  return `use ${known.slice(0, -1).join(', ')}${known.length > 1 ? ' or ' : ''}${known.at(-1) ?? ''}`;
}

/** The number of characters to add, remove, replace or swap with a neighbour. */
function distance(one: string, other: string): number {
  if (Math.abs(one.length - other.length) > 8) return Infinity;
  let before: number[] = [];
  let row = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1];
      let cost = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]) {
        cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      }
      next.push(cost);
    }
    before = row;
    row = next;
  }
  return row[other.length] ?? Infinity;
}
