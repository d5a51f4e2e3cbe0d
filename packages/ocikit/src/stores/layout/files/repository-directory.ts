// Which directory below a root belongs to which repository.
/** Files and directories of an image layout. Image specification, "Image Layout". */
const layoutNames = new Set(['blobs', 'index.json', 'oci-layout']);
/** A quick test, as each request asks and few repositories have such a name. */
const hasLayoutName = /(?:^|\/)(?:blobs|index\.json|oci-layout)(?:\/|$)/;

/**
 * The directory of a repository below the root. A component that would clash with a layout's own files gets a leading
 * `_`, with which no component of a repository name can begin.
 */
export function directoryOf(repository: string): string {
  if (!hasLayoutName.test(repository)) return repository;
  return repository
    .split('/')
    .map((component) => (layoutNames.has(component) ? `_${component}` : component))
    .join('/');
}

/** The inverse of {@link directoryOf}. */
export function repositoryOf(directory: string): string {
  return directory
    .split('/')
    .map((component) => (component.startsWith('_') ? component.slice(1) : component))
    .join('/');
}
