// The names of all repositories below a root with one layout per repository.
import { join } from 'node:path';

import { isRepository } from '../../../model/index.ts';

import type { NameList } from '../../repository/index.ts';

import { directoryOf, TimeSlice } from '../files/index.ts';

import { DirectoryNames, examine, examineOnce, nothing } from './directory-names.ts';
import type { Examined } from './directory-names.ts';

/** Milliseconds between two looks at a directory while another process writes to the root. */
const shortInterval = 100;
/** The same while this process writes: then only other tools create repositories. */
const longInterval = 1000;
/** Components that are read from the list of a directory at a time. */
const batch = 128;

/** A page of names that is being filled. */
interface Page {
  found: string[];
  count: number;
  slice: TimeSlice;
}

/**
 * The repositories that have a layout of their own below a root.
 *
 * The list of a directory is read when a page first needs it. Whether one of its directories holds a repository is
 * examined when the directory is in a page. So the first page costs one list of the root, however many there are.
 */
export class RepositoryNames implements NameList {
  readonly #root: string;
  readonly #isWriter: boolean;
  readonly #top: DirectoryNames;

  /** @param isWriter whether this process is the one that writes. It then notes its own changes */
  constructor(root: string, { isWriter }: { isWriter: boolean }) {
    this.#root = root;
    this.#isWriter = isWriter;
    this.#top = new DirectoryNames(root);
  }

  /**
   * At most `count` names strictly after `name`, in byte order; undefined: from the first name. A repository that
   * another process created may be missing for a second, or for 100 ms beside another ocikit.
   */
  async after(name: string | undefined, count: number): Promise<string[]> {
    const page: Page = { found: [], count, slice: new TimeSlice() };
    if (count > 0) await this.#fill(page, this.#top, '', name);
    return page.found;
  }

  /** Notes that this process created a repository, or removed the last content of one. */
  note(name: string, exists: boolean): void {
    let directory: DirectoryNames | undefined = this.#top;
    const components = name.split('/');
    for (const [i, component] of components.entries()) {
      directory.note(component, exists || i < components.length - 1);
      directory = directory.below.get(component);
      // A page that needs this directory reads it.
      if (directory === undefined) return;
    }
  }

  /**
   * Adds the names below a directory to a page.
   *
   * Byte order is not the order of a walk: `a-b` and `a.b` come between `a` and `a/b`. So a directory is walked when
   * its name with a `/` has its turn.
   *
   * @param prefix the names begin with it: empty, or it ends with `/`
   * @param after the rest of the name after which the page begins
   */
  async #fill(page: Page, directory: DirectoryNames, prefix: string, after: string | undefined): Promise<void> {
    await directory.refresh(this.#isWriter ? longInterval : shortInterval);
    // Directories whose name had its turn and whose content did not.
    const waiting = new Set<string>();
    const walkBefore = async (next: string | undefined): Promise<void> => {
      for (;;) {
        const least = leastOf(waiting);
        if (least === undefined || (next !== undefined && `${least}/` > next)) return;
        waiting.delete(least);
        const rest = after?.startsWith(`${least}/`) === true ? after.slice(least.length + 1) : undefined;
        await this.#fill(page, directory.directoryOf(least, this.#path(prefix + least)), `${prefix}${least}/`, rest);
        if (page.found.length >= page.count) return;
      }
    };
    for (const component of after === undefined ? [] : begunBefore(after)) {
      if (!directory.names.has(component)) continue;
      if (this.#examine(directory, prefix + component, component).hasDirectories) waiting.add(component);
    }
    for (let last = after; ;) {
      const components = directory.names.after(last, Math.min(page.count - page.found.length, batch));
      for (const component of components) {
        await walkBefore(component);
        if (page.found.length >= page.count) return;
        const examined = this.#examine(directory, prefix + component, component);
        if (examined === nothing) directory.forget(component);
        const { isOne, hasDirectories } = examined;
        if (await isOne) page.found.push(prefix + component);
        if (page.found.length >= page.count) return;
        if (hasDirectories) waiting.add(component);
        if (page.slice.isOver) await page.slice.giveWay();
      }
      last = components.at(-1);
      if (last === undefined) break;
    }
    await walkBefore(undefined);
  }

  #examine(directory: DirectoryNames, name: string, component: string): Examined {
    if (!isRepository(name)) return { isOne: false, hasDirectories: false };
    const path = this.#path(name);
    return this.#isWriter ? examineOnce(directory, component, path) : examine(path);
  }

  #path(name: string): string {
    return join(this.#root, directoryOf(name));
  }
}

/** The components whose names come before `after` or are equal to it, and whose content may come after it. */
function* begunBefore(after: string): Generator<string> {
  for (let i = 1; i <= after.length; i++) {
    const next = after[i];
    // Only these bytes and the end of the name come before `/`.
    if (next === undefined || next === '-' || next === '.' || next === '/') yield after.slice(0, i);
    if (next === '/') return;
  }
}

function leastOf(components: Iterable<string>): string | undefined {
  let least: string | undefined;
  for (const component of components) if (least === undefined || `${component}/` < `${least}/`) least = component;
  return least;
}
