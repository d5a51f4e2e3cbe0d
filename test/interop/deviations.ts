// Deviations of other registries from the contract of `Registry`.
import type { Deviation } from '../../packages/ocikit/test/deviations.ts';

/**
 * A deviation of another registry from the contract of `Registry`, seen through the client of ocikit. The distribution
 * specification allows most deviations, or did not cover the case when the registry was written.
 */

/** Deviations of Debian's docker-registry 2.8 and of distribution v3, which are one program some years apart. */
const distribution: readonly Deviation[] = [
  {
    because: 'it names manifests by sha256 digests only',
    cases: [
      /^pushing manifests: (?!refuses|keeps).*sha512/,
      'pushing manifests: keeps a manifest apart under its sha256 and its sha512 digest',
      'tagging: moves a tag to a manifest with a sha512 digest',
      'listing referrers: lists the manifests whose subject is a sha512 manifest',
      'deleting manifests: deletes a sha512 manifest with its tags',
      /^the official tests: (?:tag-param-)?sha512: (?!pushes each blob)/,
    ],
  },
  {
    because: 'a blob is one under every digest, which it tells by sha256',
    cases: [
      'pushing blobs: keeps the sha256 and the sha512 blob of the same bytes apart',
      'mounting: puts a sha512 blob of a named repository into another',
      /^the official tests: sha512 blobs: .*\(sha512 blobs\/mount\/(?!blob-post-put)/,
    ],
  },
  {
    because: 'a repository has tags, or it is none: without one, its list of tags is unknown',
    cases: [
      'pushing blobs: creates the repository with its first blob, without a tag',
      'pushing manifests: refuses bytes that do not have the sha256 digest, and sets no tag',
      'pushing manifests: refuses bytes that do not have the sha512 digest, and sets no tag',
      'reading manifests: does not find a manifest that was never pushed',
      /^checking the links of a manifest: refuses (?!an artifact manifest)/,
      'tagging: sets none of several tags if one is malformed, and stores nothing',
      'listing tags: lists none for a repository without tags',
      'the official tests: manifests that are refused: lists all tags and those after the middle (bad-digest-image/tag-list)',
    ],
  },
  {
    because: 'a repository stays when its last content goes',
    cases: [/^emptying repositories: /],
  },
  {
    because: 'it lists repositories as a tree does, in which a/b comes before a-b',
    cases: ['listing repositories: lists at most the number asked for'],
  },
  {
    because: 'it gives up an upload whose commit was refused',
    cases: [/^an upload with a failed step: discards the bytes of a commit with the wrong sha\d+ digest$/],
  },
  {
    because: 'it takes what two send at the same time, or gives up the upload',
    cases: ['an upload with a failed step: lets one of two concurrent appends to the same position win'],
    atTimes: /the number of appends that won|but it is BLOB_UPLOAD_UNKNOWN/,
  },
  {
    because: 'it knows neither the artifact manifest nor a manifest that says twice what it is',
    cases: [
      /^pushing manifests: stores (?:an artifact manifest of a release candidate|a manifest that is written in an unusual way) (?:with a tag|by its sha256)/,
      'listing referrers: lists an artifact manifest of a release candidate',
      'checking the links of a manifest: refuses an artifact manifest whose blob is missing',
    ],
  },
  {
    because: 'it looks for what is missing before it looks at the rest, and does not look at all of it',
    cases: [
      /^checking manifests: (?!refuses (?:something|no bytes|a list|a string|bytes|an image with manifests|an index whose))/,
      'checking the links of a manifest: does not need content that can be fetched elsewhere',
    ],
  },
  {
    because: 'it has no API for referrers, so a list of them is a tag',
    cases: [/^the official tests: (?:artifacts-with|index-with|missing)-subject: lists all tags/],
  },
];

/** Debian's `docker-registry`, 2.8.2. */
export const dockerRegistry: readonly Deviation[] = [
  ...distribution,
  {
    because: 'it deletes no tags',
    cases: [
      /^deleting tags: /,
      'a registry under concurrent calls: stays consistent while tags are set and deleted repeatedly',
      'listing referrers after a deletion: still includes a manifest whose tag was deleted',
      /^the official tests: (?:tag-param-sha256|(?!manifests that|sha|tag-param)[\w-]+): deletes each/,
    ],
  },
  {
    because: 'it lists repositories as a tree does, and goes on after a name as if it were in byte order',
    cases: ['listing repositories: lists the repositories strictly after a name, which need not exist'],
  },
  {
    because: 'it lists the repositories that have ever had a blob',
    cases: [
      'pushing manifests: creates the repository with a manifest alone',
      'mounting: mounts nothing if a function forbids the repository',
      /^mounting: keeps the blob in the other repository/,
      'deleting blobs: keeps the blob in another repository that has it too',
      /^listing repositories: (?:lists them in byte order|can be stopped)/,
    ],
  },
  {
    because: 'it fails where a blob is asked for as a manifest',
    cases: [
      'reading manifests: does not find a blob as a manifest',
      'deleting manifests: rejects if there is nothing to delete',
    ],
  },
  {
    because: 'it appends a chunk wherever the upload stands',
    cases: ['a resumed upload: refuses an offset other than its size'],
  },
];

/** distribution v3. */
export const distributionV3: readonly Deviation[] = [
  ...distribution,
  {
    because: 'it lists the repositories that have ever had a manifest',
    cases: [
      'uploading: does not create the repository before the commit',
      'mounting: creates the repository that it mounts into',
      'pushing manifests: creates the repository with a manifest alone',
      'a registry under concurrent calls: creates a repository once for many first pushes',
    ],
  },
  {
    because: 'its list of tags is unknown for the moment in which it has none',
    cases: ['a registry under concurrent calls: stays consistent while tags are set and deleted repeatedly'],
    atTimes: /tags\/list\S* was answered 404/,
  },
  {
    because: 'it resumes an upload by an id without its state',
    cases: ['a resumed upload: is unknown by a changed id'],
  },
  {
    because: 'a part of the tags of an unknown repository is an empty list',
    cases: ['listing tags: rejects for an unknown repository'],
  },
];

/** The registry of go-containerregistry, `crane registry serve`. Its documentation says that it is for tests. */
export const craneRegistry: readonly Deviation[] = [
  {
    because: 'all repositories have all blobs',
    cases: [
      'pushing blobs: verifies the bytes for a blob that another repository has',
      'pushing blobs: makes a blob visible in its repository only',
      'reading blobs: does not find the empty blob before it is pushed',
      'mounting: begins an upload if only another repository than the named one has the blob',
      'mounting: mounts nothing if a function forbids the repository',
      /^mounting: keeps the blob in the other repository/,
      'deleting blobs: keeps the blob in another repository that has it too',
    ],
  },
  {
    because: 'all repositories have all blobs, and a deletion in one may come after the push to another',
    cases: ['a registry under concurrent calls: keeps the blob that one repository pushes while another deletes it'],
    atTimes: /BLOB_UNKNOWN/,
  },
  {
    because: 'it mounts nothing',
    cases: [
      /^mounting: (?:puts a sha\d+ blob of a named repository into another|mounts a blob)/,
      'the listener for events: is told that a blob was mounted',
      /^the official tests: sha\d+ blobs: .*\(sha\d+ blobs\/mount\/(?!blob-post-put)/,
    ],
  },
  {
    because: 'it lists the repositories that have a manifest, ever had one, and all of them whatever comes first',
    cases: [
      'pushing blobs: creates the repository with its first blob, without a tag',
      'uploading: does not create the repository before the commit',
      'mounting: creates the repository that it mounts into',
      'listing repositories: lists the repositories strictly after a name, which need not exist',
      'listing repositories: lists at most the number asked for',
      'deleting manifests: keeps the manifest in other repositories',
      /^emptying repositories: /,
    ],
  },
  {
    because: 'nothing can be asked of an upload, nor can it be cancelled',
    cases: [
      /^an upload with a failed step: (?:refuses (?:last )?bytes|keeps the bytes|lets one)/,
      /^a resumed upload: (?:continues at its end$|can be|has the|is unknown by a changed id)/,
      /^an ended upload: (?:is unknown|can be cancelled)/,
      'an aborted signal: ends an append whose source hangs, and the upload can be resumed',
      /^the official tests: sha\d+ blobs: .*\/(?:post cancel|chunked out-of-order(?: and put chunk)?)\/blob-(?!post-put)/,
    ],
  },
  {
    because: 'a chunk has to say where it belongs, and is of an unknown upload if it does not belong there',
    cases: [/^a resumed upload: (?:continues at its end without|refuses an offset)/],
  },
  {
    because: 'a repository without a manifest is unknown, whatever is asked for in it',
    cases: [
      /^pushing manifests: refuses bytes that do not have the sha\d+ digest, and sets no tag$/,
      'reading manifests: does not find a blob as a manifest',
      'tagging: sets none of several tags if one is malformed, and stores nothing',
      /^the official tests: manifests that are refused: .*\((?:bad-digest-image|invalid-digest-format)\/(?:tag-list|delete)/,
    ],
  },
  {
    because: 'a tag has a sha256 digest',
    cases: [
      'pushing manifests: sets tags on a manifest that its sha512 digest names',
      'tagging: moves a tag to a manifest with a sha512 digest',
      /^the official tests: (?:tag-param-)?sha512: .*\/(?:manifest-head-by-tag|manifest-by-tag)\)$/,
    ],
  },
  {
    because:
      'it takes any bytes for a manifest, and looks for nothing but the entries of an index, which are missing by another name',
    cases: [/^checking manifests: (?!refuses an index whose entries)/, /^checking the links of a manifest: /],
  },
  {
    because: 'it has no API for referrers, so a list of them is a tag',
    cases: [/^the official tests: (?:artifacts-with|index-with|missing)-subject: lists all tags/],
  },
  {
    because: 'it fails to delete a blob that is not there',
    cases: [
      /^deleting blobs: (?:rejects|does not delete)/,
      'a registry under concurrent calls: stays consistent while a blob is pushed, read and deleted repeatedly',
    ],
  },
  {
    because: 'tags stay when their manifest is deleted',
    cases: [/^deleting manifests: (?:deletes a sha\d+ manifest with its tags|does not restore tags)/],
  },
];

/** `crane registry serve --disk`, with blobs in files. */
export const craneRegistryOnDisk: readonly Deviation[] = [
  {
    because: 'it keeps a blob under its sha256 digest, whatever digest it was pushed by',
    cases: [
      /^pushing blobs: (?:stores a sha512 blob|keeps the sha256 and the sha512 blob)/,
      'reading a part of a blob: gives parts of a sha512 blob that make up the whole',
      /^uploading: (?!commits with a sha256).*sha512/,
      /^an upload with a failed step: (?:refuses a commit|discards the bytes).*sha512/,
      'mounting: begins an upload for a sha512 blob that is missing',
      'deleting blobs: deletes a sha512 blob, and no other',
      /^the official tests: sha512 blobs: (?:resolves|gives)/,
      /^the official tests: (?:tag-param-)?sha512: .*\/(?:blob-post-put|blob-head|blob-get)\)$/,
    ],
  },
  ...craneRegistry,
];
