// The fields of a log message about a request, without secrets.
import type { Exchange } from './shared/index.ts';

/** Describes a request for the log. Upload ids are cut, as an id gives access to its upload. */
export function logFieldsOf({ method, path, query }: Exchange, debugId: string | undefined): Record<string, unknown> {
  return {
    ...(debugId === undefined ? {} : { server: debugId }),
    method,
    path: path.replace(/(\/blobs\/uploads\/[^/]{1,8})[^/]*$/, '$1…'),
    ...(query === '' ? {} : { query: query.replaceAll(unknownParameter, '$1=…') }),
  };
}

/** Parameters that the API does not know: their values may be secrets. */
const unknownParameter =
  /(?<=^|&)(?!(?:n|last|ns|digest|digest-algorithm|mount|from|tag|artifactType)=)([^=&]*)=[^&]*/g;
