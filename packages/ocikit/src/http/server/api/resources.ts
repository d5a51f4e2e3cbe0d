// The table of the API: the handler for each resource and method.
import type { Route } from '../../wire/index.ts';
import { json } from '../shared/index.ts';
import type { Reply } from '../shared/index.ts';

import type { Handler, ResourceOf } from './api-request.ts';
import { deleteBlob, getBlob, headBlob } from './blobs.ts';
import { listRepositories } from './catalog.ts';
import { deleteManifest, getManifest, headManifest, putManifest } from './manifests.ts';
import { listReferrers } from './referrers.ts';
import { listTags } from './tags.ts';
import { appendToUpload, cancelUpload, commitUpload, startUpload, uploadStatus } from './uploads.ts';

type Handlers<Name extends Route['resource']> = Readonly<Record<string, Handler<ResourceOf<Name>>>>;

/** The handlers of each resource, by method. HEAD without an entry is answered as GET, without the body. */
const resources: { readonly [Name in Route['resource']]: Handlers<Name> } = {
  base: { GET: determineSupport },
  catalog: { GET: listRepositories },
  blob: { GET: getBlob, HEAD: headBlob, DELETE: deleteBlob },
  uploads: { POST: startUpload },
  upload: { GET: uploadStatus, PATCH: appendToUpload, PUT: commitUpload, DELETE: cancelUpload },
  manifest: { GET: getManifest, HEAD: headManifest, PUT: putManifest, DELETE: deleteManifest },
  tags: { GET: listTags },
  referrers: { GET: listReferrers },
};

/** GET of `/v2/`. Distribution specification, "Determining Support". */
async function determineSupport(): Promise<Reply> {
  return json(200, {});
}

/** Returns the handler of a request; undefined if the resource does not have the method. */
export function handlerFor(route: Route, method: string): Handler<Route> | undefined {
  const handlers: Readonly<Record<string, Handler<never>>> = resources[route.resource];
  const name = method === 'HEAD' && !Object.hasOwn(handlers, 'HEAD') ? 'GET' : method;
  return Object.hasOwn(handlers, name) ? (handlers[name] as Handler<Route>) : undefined;
}

/** Returns the methods of a resource, for the `Allow` header. */
export function methodsOf(route: Route): string[] {
  const methods = Object.keys(resources[route.resource]);
  if (methods.includes('GET') && !methods.includes('HEAD')) methods.splice(methods.indexOf('GET') + 1, 0, 'HEAD');
  return [...methods, 'OPTIONS'];
}
