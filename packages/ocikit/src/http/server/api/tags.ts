// The tags of a repository, in pages. Distribution specification, "Listing Tags".
import { assertTag, collect } from '../../../model/index.ts';
import { json } from '../shared/index.ts';
import type { Reply } from '../shared/index.ts';

import type { ApiRequest, ResourceOf } from './api-request.ts';
import { linkTo, pageOf } from './pages.ts';

/** GET: one page of tags. */
export async function listTags(request: ApiRequest<ResourceOf<'tags'>>): Promise<Reply> {
  const { repository } = request.route;
  const last = request.query.get('last') ?? undefined;
  if (last !== undefined) assertTag(last);
  const page = await pageOf(request, (limit) =>
    collect(request.registry.tags(repository, { ...request.call, startAfter: last, limit })),
  );
  return json(200, { name: repository, tags: page.entries }, linkTo(request, page.next));
}
