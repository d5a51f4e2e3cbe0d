// A source file, parsed once for all that is counted in it.
import { parseSync, type Comment, type EcmaScriptModule, type Program } from 'oxc-parser';

import { lineCounter } from '../sources.ts';

/** A parsed file. */
export interface Module {
  readonly path: string;
  readonly source: string;
  readonly comments: readonly Comment[];
  /** Made when it is first asked for, as that takes most of the time. */
  readonly program: Program;
  /** Its imports and exports. */
  readonly record: EcmaScriptModule;
  readonly lineOf: (offset: number) => number;
}

/** Parses a file. */
export function parseModule(path: string, source: string): Module {
  const parsed = parseSync(path, source);
  const lineOf = lineCounter(source);
  let record: EcmaScriptModule | undefined;
  return {
    path,
    source,
    comments: parsed.comments,
    get program() {
      return parsed.program;
    },
    get record() {
      record ??= parsed.module;
      return record;
    },
    lineOf,
  };
}
