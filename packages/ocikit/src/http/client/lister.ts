import { limit as atMost, untilAborted } from '../../model/index.ts';
import type { CallOptions, ErrorCode, Lister, ListOptions } from '../../model/index.ts';

import { catalogAddress, tagsAddress } from './shared/index.ts';
import type { ClientOptions, Query } from './shared/index.ts';
import { repositoryScope } from '../wire/index.ts';
import type { Scope } from '../wire/index.ts';
import { pagesOf } from './transport/index.ts';
import type { Page, Transport } from './transport/index.ts';

/** ECR takes no larger pages. */
const defaultPageSize = 1000;

/** Pages in a row that tell nothing new: from here on, nobody will. */
const maxIdlePages = 100;

/** Names that are remembered to notice that one comes again. */
const maxRemembered = 100_000;

interface NameList {
  field: 'repositories' | 'tags';
  /** The code of an answer that only says that there is no such list. */
  missing: ErrorCode;
  scope: Scope;
  address: (query: Query) => URL;
  /** After which name the registry is asked to begin, so that nothing is missed. */
  last: string | undefined;
  options: ListOptions;
}

/** Distribution specification, "Listing Tags", and the catalog that Docker's registry has. */
export function clientLister(transport: Transport, options: ClientOptions): Pick<Lister, 'repositories' | 'tags'> {
  const pageSize = options.pageSize ?? defaultPageSize;
  return {
    repositories(list = {}) {
      return names(transport, pageSize, {
        field: 'repositories',
        missing: 'UNSUPPORTED',
        scope: [{ type: 'registry', resource: 'catalog', action: '*' }],
        address: (query) => catalogAddress(transport.base, query),
        last: list.startAfter === undefined ? undefined : beforeInAnyOrder(list.startAfter),
        options: list,
      });
    },
    tags(repository, list = {}) {
      return names(transport, pageSize, {
        field: 'tags',
        missing: 'NAME_UNKNOWN',
        scope: repositoryScope(repository, 'pull'),
        address: (query) => tagsAddress(transport.base, repository, query),
        last: list.startAfter,
        options: list,
      });
    },
  };
}

/**
 * A name that comes before the given one, and before all that follow it in byte order, also where the order is that of directories,
 * as in Docker's registry: there, `a/b` comes before `a-b` and `a.b`.
 */
function beforeInAnyOrder(name: string): string | undefined {
  const [start = ''] = name.split(/\/?[-.]/, 1);
  return start === '' ? undefined : start;
}

async function* names(transport: Transport, pageSize: number, list: NameList): AsyncGenerator<string, void, undefined> {
  const { startAfter, limit } = list.options;
  // Not every registry understands `n=0`; whether the list exists is still to be seen.
  const isExact = list.last === startAfter;
  const count = Math.max(1, Math.min(isExact ? (limit ?? pageSize) : pageSize, pageSize));
  const query = { n: String(count), last: list.last };
  const call: CallOptions = list.options;
  let sawNew = true;
  // Where a registry gives no Link, the list goes on after its last name, unless it has ignored `n` or ended.
  const goOn = (page: Page): URL | undefined => {
    const found = namesIn(transport, page, list.field);
    return sawNew && found.length === count ? list.address({ ...query, last: found.at(-1) }) : undefined;
  };
  const { scope, missing } = list;
  const pages = pagesOf(transport, { url: list.address(query), scope, call, missing }, goOn);
  const ordered = inOrder(transport, list, pages, (isNew) => {
    sawNew = isNew;
  });
  yield* atMost(untilAborted(ordered, call.signal), limit);
  // Who wants nothing still learns whether there is such a list.
  if (limit === 0) await pages.next();
}

/**
 * The names of all pages in byte order, each once. A registry that keeps another order, as ECR does, is read to its end
 * before anything is handed on; if that only shows later, nothing is lost, but comes in the order in which it can.
 */
async function* inOrder(
  transport: Transport,
  { field, last: begin = '', options: { startAfter = '' } }: NameList,
  pages: AsyncIterable<Page>,
  onPage: (sawNew: boolean) => void,
): AsyncGenerator<string, void, undefined> {
  const seen = new Set<string>();
  let last = startAfter;
  let held: string[] | undefined;
  let idle = 0;
  for await (const page of pages) {
    const unseen = namesIn(transport, page, field).filter((name) => !seen.has(name));
    // A list of tags, which are in byte order everywhere, begins anew if nothing comes after its beginning.
    const isAnew = field === 'tags' && seen.size === 0 && unseen.every((name) => name <= begin);
    const isNew = unseen.length > 0 && !isAnew;
    for (const name of unseen) if (seen.size < maxRemembered) seen.add(name);
    const fresh = [...new Set(unseen)].filter((name) => name > startAfter);
    onPage(isNew);
    idle = isNew ? 0 : idle + 1;
    if (idle > maxIdlePages) throw transport.wrongAnswer(page.answer, 'leads on and on, to nothing new');
    if (held === undefined && fresh.every((name, i) => name > (fresh[i - 1] ?? last))) {
      yield* fresh;
      last = fresh.at(-1) ?? last;
    } else if (seen.size < maxRemembered) {
      held = [...(held ?? []), ...fresh];
    } else {
      throw transport.wrongAnswer(page.answer, 'goes on in no order, in a list too long to be put in one');
    }
  }
  if (held !== undefined) yield* held.toSorted();
}

/** Some registries say `null` for an empty list. */
function namesIn(transport: Transport, { answer, body }: Page, field: NameList['field']): readonly string[] {
  const found = body[field] ?? [];
  if (!Array.isArray(found) || !found.every((name) => typeof name === 'string')) {
    throw transport.wrongAnswer(answer, `has no list of ${field}`);
  }
  return found;
}
