// Listing repositories and tags.
import { limit as atMost, nameFilter, untilAborted } from '../../model/index.ts';
import type { CallOptions, ErrorCode, Lister, ListOptions } from '../../model/index.ts';

import { catalogAddress, tagsAddress } from './shared/index.ts';
import type { ClientOptions, Query } from './shared/index.ts';
import { repositoryScope } from '../wire/index.ts';
import type { Scope } from '../wire/index.ts';
import { pagesOf } from './transport/index.ts';
import type { Page, Transport } from './transport/index.ts';

/** ECR takes no larger pages. */
const defaultPageSize = 1000;

/** Pages in a row without a new name: after these, the list is taken for endless. */
const maxIdlePages = 100;

/** Names that are remembered, to notice a name that comes again. */
const maxRemembered = 100_000;

interface NameList {
  /** The field of a page that has the names. */
  field: 'repositories' | 'tags';
  /** The code of a 404 that names none itself. */
  missing: ErrorCode;
  scope: Scope;
  address: (query: Query) => URL;
  /** The name after which the registry is asked to begin, so that no name is missed. */
  last: string | undefined;
  options: ListOptions;
  /** False for a text that is left out, as it is no name. */
  isName: (name: string) => boolean;
}

/** The lists of names. Distribution specification, "Listing Tags", and the catalog of Docker's registry. */
export function clientLister(transport: Transport, options: ClientOptions): Pick<Lister, 'repositories' | 'tags'> {
  const pageSize = options.pageSize ?? defaultPageSize;
  return {
    repositories(list = {}) {
      return names(transport, pageSize, {
        field: 'repositories',
        isName: nameFilter('repositories', options.onWarning),
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
        isName: nameFilter('tags', options.onWarning),
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
 * A name that comes before the given one and before all names after it, in byte order and in the order of directories.
 * Docker's registry has the latter: there, `a/b` comes before `a-b` and `a.b`.
 */
function beforeInAnyOrder(name: string): string | undefined {
  const [start = ''] = name.split(/\/?[-.]/, 1);
  return start === '' ? undefined : start;
}

async function* names(transport: Transport, pageSize: number, list: NameList): AsyncGenerator<string, void, undefined> {
  const { startAfter, limit } = list.options;
  // Not every registry understands `n=0`, and the list may not exist: one entry is requested even if none is wanted.
  const isExact = list.last === startAfter;
  const count = Math.max(1, Math.min(isExact ? (limit ?? pageSize) : pageSize, pageSize));
  const query = { n: String(count), last: list.last };
  const call: CallOptions = list.options;
  let sawNew = true;
  // A registry without Link continues the list after its last name, unless it has ignored `n` or the list has ended.
  const nextAfter = (page: Page): URL | undefined => {
    const found = namesIn(transport, page, list.field);
    return sawNew && found.length === count ? list.address({ ...query, last: found.at(-1) }) : undefined;
  };
  const { scope, missing } = list;
  const pages = pagesOf(transport, { url: list.address(query), scope, call, missing }, nextAfter);
  const ordered = inOrder(transport, list, pages, (isNew) => {
    sawNew = isNew;
  });
  yield* atMost(untilAborted(ordered, call.signal), limit);
  // A caller that wants no entries still learns whether the list exists.
  if (limit === 0) await pages.next();
}

/**
 * The names of all pages in byte order, each once. A registry with another order, such as ECR, is read to its end
 * before a name is handed on. If the other order shows only later, no name is lost, but the rest comes sorted by
 * itself.
 */
async function* inOrder(
  transport: Transport,
  { field, last: begin = '', options: { startAfter = '' }, isName }: NameList,
  pages: AsyncIterable<Page>,
  onPage: (sawNew: boolean) => void,
): AsyncGenerator<string, void, undefined> {
  const seen = new Set<string>();
  let last = startAfter;
  let held: string[] | undefined;
  let idle = 0;
  for await (const page of pages) {
    const unseen = namesIn(transport, page, field).filter((name) => !seen.has(name));
    // Tags are in byte order everywhere: a page of tags that all come before its beginning starts the list again.
    const isAnew = field === 'tags' && seen.size === 0 && unseen.every((name) => name <= begin);
    const isNew = unseen.length > 0 && !isAnew;
    for (const name of unseen) if (seen.size < maxRemembered) seen.add(name);
    const fresh = [...new Set(unseen)].filter((name) => name > startAfter && isName(name));
    onPage(isNew);
    idle = isNew ? 0 : idle + 1;
    if (idle > maxIdlePages)
      throw transport.wrongResponse(page.response, 'leads on for ever, to pages without a new name');
    if (held === undefined && fresh.every((name, i) => name > (fresh[i - 1] ?? last))) {
      yield* fresh;
      last = fresh.at(-1) ?? last;
    } else if (seen.size < maxRemembered) {
      held = [...(held ?? []), ...fresh];
    } else {
      throw transport.wrongResponse(page.response, 'continues in no order, and the list is too long to be sorted');
    }
  }
  if (held !== undefined) yield* held.toSorted();
}

/** The names of a page. Some registries say `null` for an empty list. */
function namesIn(transport: Transport, { response, body }: Page, field: NameList['field']): readonly string[] {
  const found = body[field] ?? [];
  if (!Array.isArray(found) || !found.every((name) => typeof name === 'string')) {
    throw transport.wrongResponse(response, `has no list of ${field}`);
  }
  return found;
}
