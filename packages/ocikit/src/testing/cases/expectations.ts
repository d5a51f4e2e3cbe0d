// Expectations: how a case compares, and how it fails.
import { isRegistryError } from '../../model/index.ts';
import type { ErrorCode, RegistryError } from '../../model/index.ts';

/** The error of a case: the registry does not do what it promises. It tells what was expected and what came. */
export class ContractError extends Error {
  override readonly name: string = 'ContractError';
}

/** Compares by value; fields that are undefined count as missing. */
export function equal(actual: unknown, expected: unknown, what: string): void {
  if (!isEqual(actual, expected)) {
    throw new ContractError(`${what}: expected ${show(expected)}, but it is ${show(actual)}`);
  }
}

/** @param what the message if the condition does not hold: what was expected, and what came */
export function holds(condition: boolean, what: string): void {
  if (!condition) throw new ContractError(what);
}

/** Compares byte by byte, and names the first byte that differs. */
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

/**
 * The call rejects with a RegistryError.
 *
 * @param codes the error has one of them
 */
export async function rejects(
  call: Promise<unknown>,
  codes: ErrorCode | readonly ErrorCode[],
  what: string = 'the call',
): Promise<RegistryError> {
  const expected = typeof codes === 'string' ? [codes] : codes;
  const error = await failureOf(call, `${what}: expected an error with ${expected.join(' or ')}`);
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

/** The call rejects with the error that the case caused, or with an error that has it among its causes. */
export async function rejectsBecauseOf(call: Promise<unknown>, reason: unknown, what: string): Promise<void> {
  const error = await failureOf(call, `${what}: expected an error ${show(reason)}`);
  for (let at = error; at !== undefined; at = at instanceof Error ? at.cause : undefined) {
    if (at === reason) return;
  }
  throw new ContractError(`${what}: expected an error ${show(reason)}, but it is ${show(error)}`, {
    cause: error,
  });
}

/** The call rejects with any error: for refusals whose code is not promised. */
export async function fails(call: Promise<unknown>, what: string): Promise<void> {
  await failureOf(call, `${what}: expected an error`);
}

/** True if the call worked, false if it rejected with this code. Rejects with any other error. */
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

/** Fails with a message if the call does not settle in time; the test runner's own time-out would have none. */
export async function settles<T>(call: Promise<T>, what: string, milliseconds: number = 30_000): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new ContractError(`${what}: expected it to settle within ${milliseconds} ms, but it did not`));
    }, milliseconds);
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The first item of a sequence. Rejects if the sequence fails before it. */
export async function firstOf<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}

/** Waits for this time. */
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
