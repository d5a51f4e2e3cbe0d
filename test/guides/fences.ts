// The snippets of a guide: finds them, names their files, and puts local addresses into them.

/** A fenced block of a guide. */
export interface Fence {
  /** The word after the opening mark, for example `ts`. */
  language: string;
  /** The lines between the marks. */
  text: string;
  /** The number of its first line in the guide, from 1. */
  line: number;
}

/** All fences of a Markdown text. @throws Error for one that does not end */
export function fencesOf(markdown: string): Fence[] {
  const fences: Fence[] = [];
  let open: { mark: string; language: string; line: number; lines: string[] } | undefined;
  for (const [i, line] of markdown.split('\n').entries()) {
    const [, indent = '', mark = '', info = ''] = /^( *)(`{3,}|~{3,})\s*(.*)$/.exec(line) ?? [];
    if (open === undefined && mark !== '') {
      if (indent !== '') throw new Error(`line ${i + 1}: a fence begins at the margin`);
      open = { mark, language: info.trim(), line: i + 2, lines: [] };
    } else if (open !== undefined && mark.startsWith(open.mark) && info === '') {
      fences.push({ language: open.language, text: `${open.lines.join('\n')}\n`, line: open.line });
      open = undefined;
    } else {
      open?.lines.push(line);
    }
  }
  if (open !== undefined) throw new Error(`line ${open.line}: the fence does not end`);
  return fences;
}

/** The file that a module is written to: the one that its first line names (`// store.ts`), else one of its line. */
export function fileOf({ text, line }: Fence): string {
  const [, named] = /^\/\/ ([\w-]+(?:\.test)?\.ts)\n/.exec(text) ?? [];
  return named ?? `line-${line}.ts`;
}

/** The addresses that a test puts in place of the hosts and ports of guides. */
export interface Places {
  /** `127.0.0.1:PORT` of the registry that stands for every registry of the world. */
  upstream: string;
  /** The port on which a server of the guide listens instead of on port 5000. */
  port: number;
}

/** A snippet as it is run. */
export function placed(text: string, { upstream, port }: Places): string {
  return (
    text
      .replace(/https:\/\/(?:[a-z0-9-]+\.)*(?:example\.com|docker\.io)\b/g, `http://${upstream}`)
      .replace(/--proxy docker\.io(?![=\w.:])/g, `--proxy docker.io=http://${upstream}`)
      // As a key it is a name, which stays.
      .replace(/(?<=['"])(?:registry-1\.)?docker\.io(?=['"](?!:))/g, upstream)
      .replace(/(?<![\w.@-])(?:[a-z0-9-]+\.)*example\.com(?![\w.-])/g, upstream)
      .replace(/(?<=:|port: |--port[ =])5000(?!\d)/g, String(port))
  );
}
