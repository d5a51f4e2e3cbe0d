// The credentials of a caller.

/** How a caller proves its identity at one registry. */
export type Credential =
  | { username: string; password: string }
  /** An OAuth2 refresh token; docker calls it `identitytoken`. */
  | { refreshToken: string; username?: string | undefined }
  /** A Bearer token that needs no token server; docker calls it `registrytoken`. */
  | { accessToken: string };

/**
 * Gives credentials for a registry. The client calls it for the first request to a repository, and again, at most once
 * a minute, when the registry has refused the credentials.
 *
 * @param host as it is in the registry's URL, with its port if that has one
 * @param repository the subject of the request, if there is one: some callers keep other credentials for a part of a
 * registry
 * @returns undefined if there are none: the registry is asked anonymously
 */
export type Credentials = (
  host: string,
  repository?: string,
) => Promise<Credential | undefined> | Credential | undefined;
