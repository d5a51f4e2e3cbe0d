// Parses JSON from other programs.
/** A parsed JSON object, with unknown values. */
export type JsonObject = Record<string, unknown>;

/**
 * Parses a JSON object. Fields that are null are left out: Go programs write missing values as null.
 *
 * @returns undefined if the bytes are not the JSON of an object
 */
export function parseJsonObject(bytes: Uint8Array): JsonObject | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
  if (!isJsonObject(value)) return undefined;
  return Object.fromEntries(Object.entries(value).filter(([, content]) => content !== null));
}

/** Whether a JSON value is an object, and no array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
