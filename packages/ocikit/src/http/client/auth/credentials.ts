/** What a caller can prove who it is with, at one registry. */
export type Credential =
  | { username: string; password: string }
  /** An OAuth2 refresh token; docker calls it `identitytoken`. */
  | { refreshToken: string; username?: string | undefined }
  /** A Bearer token that needs no token server; docker calls it `registrytoken`. */
  | { accessToken: string };

/**
 * Where credentials come from.
 *
 * @param host as it is in the registry's URL, with its port if that has one
 * @param repository what the request is about, if it is about one: some keep other credentials for a part of a registry
 * @returns undefined if there are none: the registry is asked anonymously
 */
export type Credentials = (
  host: string,
  repository?: string,
) => Promise<Credential | undefined> | Credential | undefined;
