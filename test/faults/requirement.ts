// Requirements of tests on the machine.
import { execFileSync } from 'node:child_process';

import type { TestContext } from 'vitest';

/** Skips a test if the machine lacks a requirement, and names it. With CI=true the test fails instead. */
export function requireOf(context: TestContext, missing: string | undefined): void {
  if (missing === undefined) return;
  if (process.env['CI'] === 'true') throw new Error(`${missing}, which CI must have`);
  context.skip(missing);
}

/** Returns the reason why a command cannot be used here; undefined if it can. */
export function missingCommand(name: string, ...args: readonly string[]): string | undefined {
  try {
    execFileSync(name, args, { stdio: 'ignore', timeout: 10_000 });
    return undefined;
  } catch (error) {
    return `${name} cannot be used here: ${String(error).split('\n')[0] ?? ''}`;
  }
}
