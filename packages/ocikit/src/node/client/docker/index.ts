// The credentials that docker and podman store.
export { dockerCredentials } from './docker-credentials.ts';
export type { DockerCredentialsOptions } from './docker-credentials.ts';
