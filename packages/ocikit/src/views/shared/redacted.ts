/** A text made safe for logs and traces: without secrets and without characters that break a line. */
export function redacted(text: string, longest: number = 500): string {
  const safe = text
    // User names and queries of URLs hold passwords, tokens and signatures.
    .replace(/\b([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/?#@"'<>]*@/gi, '$1')
    .replace(/\b([a-z][a-z0-9+.-]{0,20}:\/\/[^\s?#"'<>]*)[?#][^\s"'<>]*/gi, '$1?…')
    .replace(/\b(bearer|basic|negotiate|digest)\s+[A-Za-z0-9._~+/-]{8,}=*/gi, '$1 …')
    .replace(
      /\b(password|passwd|secret|(?:[a-z]+_)?token|signature|api[_-]?key)(["']?\s*[=:]\s*["']?)[^\s"'&,;]+/gi,
      '$1$2…',
    )
    .replace(/[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu, escaped);
  return safe.length > longest ? `${safe.slice(0, Math.max(longest - 1, 0))}…` : safe;
}

/** Escapes a character that ends a line, moves a terminal's cursor or turns the direction of writing. */
function escaped(char: string): string {
  const named = JSON.stringify(char).slice(1, -1);
  return named.startsWith('\\') ? named : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
