// The JSON body of an error.
import type { WireError } from '../../model/index.ts';

/** Formats the body of an error. Distribution specification, "Error Codes". */
export function errorBody({ errors }: Pick<WireError, 'errors'>): string {
  return JSON.stringify({ errors });
}
