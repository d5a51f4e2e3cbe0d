import { isRegistryError } from '../../model/index.ts';
import type { ErrorCode, RegistryError } from '../../model/index.ts';

/** What a case throws where the registry does not do what it promises. */
export class ContractError extends Error {
  override readonly name: string = 'ContractError';
}

/** Compares by value; fields that are undefined count as missing. */
export function equal(actual: unknown, expected: unknown, what: string): void {
  if (!isEqual(actual, expected)) {
    throw new ContractError(`${what}: expected ${show(expected)}, but it is ${show(actual)}`);
  }
}

export function holds(condition: boolean, what: string): void {
  if (!condition) throw new ContractError(what);
}

export function sameBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  if (actual.length !== expected.length) {
    throw new ContractError(`${what}: expected ${expected.length} bytes, but there are ${actual.length}`);
  }
  for (let i = 0; i < actual.length; i++) {
    if (actual[i] !== expected[i]) {
      throw new ContractError(`${what}: byte ${i} of ${actual.length} is ${actual[i]} instead of ${expected[i]}`);
    }
  }
}

/** @param codes one of which the error has to have */
export async function rejects(
  call: Promise<unknown>,
  codes: ErrorCode | readonly ErrorCode[],
  what: string = 'the call',
): Promise<RegistryError> {
  const expected = typeof codes === 'string' ? [codes] : codes;
  const error = await failureOf(call, `${what}: expected it to reject with ${expected.join(' or ')}`);
  if (!isRegistryError(error)) {
    throw new ContractError(
      `${what}: expected a RegistryError with ${expected.join(' or ')}, but it is ${show(error)}`,
      {
        cause: error,
      },
    );
  }
  if (!expected.includes(error.code)) {
    throw new ContractError(`${what}: expected ${expected.join(' or ')}, but it is ${error.code} (${error.message})`, {
      cause: error,
    });
  }
  return error;
}

/** The very error that the caller caused, or one that was caused by it. */
export async function rejectsBecauseOf(call: Promise<unknown>, reason: unknown, what: string): Promise<void> {
  const error = await failureOf(call, `${what}: expected it to reject with ${show(reason)}`);
  for (let at = error; at !== undefined; at = at instanceof Error ? at.cause : undefined) {
    if (at === reason) return;
  }
  throw new ContractError(`${what}: expected it to reject with ${show(reason)}, but it is ${show(error)}`, {
    cause: error,
  });
}

/** Any error will do: for what is refused without a promise of how. */
export async function fails(call: Promise<unknown>, what: string): Promise<void> {
  await failureOf(call, `${what}: expected it to fail`);
}

/** True if the call worked, false if it rejected with this code; anything else is an error. */
export async function worksOr(code: ErrorCode, call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (isRegistryError(error, code)) return false;
    throw error;
  }
}

async function failureOf(call: Promise<unknown>, expectation: string): Promise<unknown> {
  let value: unknown;
  try {
    value = await call;
  } catch (error) {
    return error;
  }
  throw new ContractError(`${expectation}, but it resolved with ${show(value)}`);
}

/** What never settles fails here, with a message, instead of in the test runner, without one. */
export async function settles<T>(call: Promise<T>, what: string, milliseconds: number = 5000): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new ContractError(`${what}: it did not settle within ${milliseconds} ms`));
    }, milliseconds);
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The first item, so that a sequence that fails at its beginning does. */
export async function firstOf<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function isEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = definedEntries(a);
  const right = new Map(definedEntries(b));
  return left.length === right.size && left.every(([key, value]) => right.has(key) && isEqual(value, right.get(key)));
}

function definedEntries(value: object): [string, unknown][] {
  return Object.entries(value).filter((entry) => entry[1] !== undefined);
}

function show(value: unknown): string {
  if (isRegistryError(value)) return `${value.code} (${value.message})`;
  if (value instanceof Error) return String(value);
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (value === undefined) return 'undefined';
  const text = JSON.stringify(value);
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}
