// The action that a request asks for, before the registry is called.
import type { AccessAction } from '../../../auth/index.ts';
import { parsePath } from '../../wire/index.ts';
import type { Route } from '../../wire/index.ts';
import type { Exchange } from '../shared/index.ts';

/** The action that a request asks for. */
export interface RequestedAction {
  /** The resource. */
  readonly route: Route;
  /** The repository. Default: the request is about none, or about the list of all. */
  readonly repository: string | undefined;
  /** The action that rules judge. */
  readonly action: AccessAction;
  /** The scope that a token for it has: what a challenge asks for. Empty: any token will do. */
  readonly scope: string;
}

/**
 * Returns the action that a request asks for; undefined: the API has no such path, which every client may know.
 *
 * @throws RegistryError NAME_INVALID, BAD_REQUEST
 */
export function requestedAction({ method, path, query }: Exchange): RequestedAction | undefined {
  const route = parsePath(path);
  if (route === undefined) return undefined;
  if (route.resource === 'base') return { route, repository: undefined, action: 'list', scope: '' };
  if (route.resource === 'catalog')
    return { route, repository: undefined, action: 'list', scope: 'registry:catalog:*' };
  const { repository } = route;
  const action = actionOf(method, route.resource);
  const scope = `repository:${repository}:${tokenActions[action]}`;
  return { route, repository, action, scope: route.resource === 'uploads' ? scope + mountScope(query) : scope };
}

type Action = 'delete' | 'list' | 'pull' | 'push';

/** The actions of a token that clients know: a push asks for `pull` too. */
const tokenActions: Readonly<Record<Action, string>> = {
  delete: 'delete',
  list: 'pull',
  pull: 'pull',
  push: 'pull,push',
};

function actionOf(method: string, resource: Route['resource']): Action {
  // An upload is read, continued and cancelled by who pushes.
  if (resource === 'uploads' || resource === 'upload') return 'push';
  if (resource === 'tags' || resource === 'referrers') return 'list';
  if (method === 'DELETE') return 'delete';
  return method === 'PUT' || method === 'POST' || method === 'PATCH' ? 'push' : 'pull';
}

/** A mount reads its source. If that may not be read, the mount goes on as an upload. */
function mountScope(query: string): string {
  const from = new URLSearchParams(query).get('from') ?? '';
  return /^[a-z0-9]+(?:[._/-]+[a-z0-9]+)*$/.test(from) && from.length <= 255 ? ` repository:${from}:pull` : '';
}
