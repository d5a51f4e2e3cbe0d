/**
 * Patterns of names: `*` stands for any characters but a slash, `**` for any, `?` for one that is no slash; everything
 * else for itself.
 *
 * @returns whether a name matches one of them
 */
export function namePatterns(patterns: readonly string[]): (name: string) => boolean {
  const parsed = patterns.map(tokensOf);
  return (name) => parsed.some((tokens) => matches(tokens, name));
}

function tokensOf(pattern: string): string[] {
  return pattern.match(/\*\*|[^]/g) ?? [];
}

/** Each character once, with all places of the pattern where it may be: nobody can write a name that takes long. */
function matches(tokens: readonly string[], name: string): boolean {
  let places = withSkipped(tokens, [0]);
  for (const char of name) {
    const next: number[] = [];
    for (const place of places) {
      const token = tokens[place];
      if (token === '**' || (token === '*' && char !== '/')) next.push(place);
      else if (token === char || (token === '?' && char !== '/')) next.push(place + 1);
    }
    places = withSkipped(tokens, next);
  }
  return places.has(tokens.length);
}

/** A star may stand for nothing. */
function withSkipped(tokens: readonly string[], places: readonly number[]): Set<number> {
  const all = new Set<number>();
  for (let place of places) {
    all.add(place);
    while (tokens[place] === '*' || tokens[place] === '**') all.add(++place);
  }
  return all;
}
