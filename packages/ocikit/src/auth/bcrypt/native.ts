// bcrypt by @node-rs/bcrypt, which works on libuv's threads. It is loaded when the first password is checked.
import type NodeRs from '@node-rs/bcrypt';

import type { Bcrypt } from './bcrypt.ts';

/** Loads the implementation of this runtime. */
export async function loadBcrypt(): Promise<Bcrypt> {
  const { compare, hash } = await load();
  return { compare: (password, known) => compare(password, known), hash: (password, cost) => hash(password, { cost }) };
}

async function load(): Promise<typeof NodeRs> {
  try {
    return (await import('@node-rs/bcrypt')).default;
  } catch (cause) {
    throw new Error(
      'bcrypt cannot be loaded on this platform: install @node-rs/bcrypt with its optional dependencies, or pass ' +
        'another implementation in the option bcrypt, such as the package bcryptjs',
      { cause },
    );
  }
}
