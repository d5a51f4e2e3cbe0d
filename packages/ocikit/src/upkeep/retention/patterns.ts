// Patterns with wildcards, for names of repositories and tags.
/**
 * Compiles patterns of names. `*` matches any text without a slash, `**` any text, and `?` one character that is no
 * slash. Every other character matches itself.
 *
 * @returns a function that tells whether a name matches at least one of the patterns
 */
export function namePatterns(patterns: readonly string[]): (name: string) => boolean {
  const parsed = patterns.map(tokensOf);
  return (name) => parsed.some((tokens) => matches(tokens, name));
}

function tokensOf(pattern: string): string[] {
  return pattern.match(/\*\*|[^]/g) ?? [];
}

/** Follows all possible places in the pattern at once, one character at a time. So no name takes long to match. */
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

/** Adds the places after stars, as a star may match the empty text. */
function withSkipped(tokens: readonly string[], places: readonly number[]): Set<number> {
  const all = new Set<number>();
  for (let place of places) {
    all.add(place);
    while (tokens[place] === '*' || tokens[place] === '**') all.add(++place);
  }
  return all;
}
