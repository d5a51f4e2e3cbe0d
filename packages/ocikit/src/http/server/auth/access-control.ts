// Access control for a server, loaded with the first request: a server without it does not need its code.
import type { CheckedCall } from '../../../auth/index.ts';
import type { Exchange, Middleware, Reply } from '../shared/index.ts';

import type { Control } from './control.ts';
import type { AccessControlOptions } from './options.ts';
import { PublicUrl } from './public-url.ts';

/** Access control, for a server and its registry. */
export interface AccessControl {
  /** Authenticates each request, refuses what rules refuse, and answers the token endpoint. */
  readonly middleware: Middleware;
  /** Judges each call of a registry, for `accessChecker`. */
  readonly check: (call: CheckedCall) => void | Promise<void>;
}

/**
 * Protects a server. Every 401 has one challenge, to the token endpoint `/token` of the same server, which works with
 * docker, containerd, podman, skopeo, crane, regctl, oras, helm and others. Basic is taken too.
 *
 * Rules are judged at each request for the user as it is now: tokens only narrow what it may do.
 *
 * @example
 * const access = accessControl({ rules, tokens, users, service: 'registry.example' });
 * const guarded = accessChecker(registry, access.check);
 * await serve(guarded, { middleware: [access.middleware] });
 */
export function accessControl(options: AccessControlOptions): AccessControl {
  const { publicUrl = [], trustsProxy = () => false } = options;
  const url = new PublicUrl(typeof publicUrl === 'string' ? [publicUrl] : publicUrl, trustsProxy);
  let control: Control | undefined;
  const load = async (): Promise<Control> => (control ??= new (await import('./control.ts')).Control(options, url));
  return {
    middleware: async (exchange: Exchange, next: (exchange: Exchange) => Promise<Reply>) =>
      (control ?? (await load())).handle(exchange, next),
    check: (call) => (control === undefined ? load().then((loaded) => loaded.check(call)) : control.check(call)),
  };
}
