/** Files and directories of an image layout. Image specification, "Image Layout". */
const layoutNames = new Set(['blobs', 'index.json', 'oci-layout']);
/** Few repositories have one of them, and each request asks. */
const hasLayoutName = /(?:^|\/)(?:blobs|index\.json|oci-layout)(?:\/|$)/;

/**
 * The directory of a repository below the root. A component that would clash with a layout's own files gets `_` before
 * it, with which no component can begin.
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
