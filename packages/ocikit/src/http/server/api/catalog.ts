// The catalog: every repository, in pages. Docker's registry has it; the distribution specification does not.
import { assertRepository, collect } from '../../../model/index.ts';
import { json } from '../shared/index.ts';
import type { Reply } from '../shared/index.ts';

import type { ApiRequest, ResourceOf } from './api-request.ts';
import { linkTo, pageOf } from './pages.ts';

/** GET: one page of repositories. */
export async function listRepositories(request: ApiRequest<ResourceOf<'catalog'>>): Promise<Reply> {
  const last = request.query.get('last') ?? undefined;
  if (last !== undefined) assertRepository(last);
  const page = await pageOf(request, (limit) =>
    collect(request.registry.repositories({ ...request.call, startAfter: last, limit })),
  );
  return json(200, { repositories: page.entries }, linkTo(request, page.next));
}
