// Runs `ocikit htpasswd`: sets or removes the password of a user.
import { editHtpasswdFile, hashPassword, removeHtpasswdUser, setHtpasswdUser } from 'ocikit/auth';

import { askPassword, readPassword } from '../../options/password.ts';

/** The options of `ocikit htpasswd`. */
export interface HtpasswdFlags {
  passwordStdin?: true;
  delete?: true;
}

/** Changes one user of a file. */
export async function runHtpasswd(file: string, user: string, flags: HtpasswdFlags): Promise<void> {
  if (flags.delete === true) {
    await editHtpasswdFile(file, (text) => {
      const rest = removeHtpasswdUser(text, user);
      if (rest === undefined) throw new Error(`${file} has no user ${JSON.stringify(user)}`);
      return rest;
    });
    process.stderr.write(`${user} is removed from ${file}\n`);
    return;
  }
  // A name that cannot be one is refused before a password is asked for.
  setHtpasswdUser('', user, await hashPassword('any', { cost: 4 }));
  const password = flags.passwordStdin === true ? await readPassword() : await askPassword(`Password of ${user}: `);
  const hash = await hashPassword(password);
  await editHtpasswdFile(file, (text) => setHtpasswdUser(text, user, hash));
  process.stderr.write(`${user} has a password in ${file}\n`);
}
