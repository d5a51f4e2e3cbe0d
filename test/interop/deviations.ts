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
      'tags: moves a tag to a manifest with a sha512 digest',
      'listing referrers: lists the manifests whose subject is a sha512 manifest',
      'deleting manifests: deletes a sha512 manifest with its tags',
      /^the official tests: (?:tag-param-)?sha512: (?!pushes each blob)/,
    ],
  },
  {
    because: 'a blob is one under every digest, which it tells by sha256',
    cases: [
      'pushing blobs: keeps the sha256 and the sha512 blob of the same bytes apart',
      'mounting: makes a sha512 blob of a named repository one of another',
      /^the official tests: sha512 blobs: .*\(sha512 blobs\/mount\/(?!blob-post-put)/,
    ],
  },
  {
    because: 'a repository has tags, or it is none: without one, its list of tags is unknown',
    cases: [
      'pushing blobs: makes the repository exist with its first blob, without a tag',
      'pushing manifests: refuses bytes that do not have the sha256 digest, and sets no tag',
      'pushing manifests: refuses bytes that do not have the sha512 digest, and sets no tag',
      'reading manifests: does not know a manifest that nobody pushed',
      /^manifests that name missing content: refuses (?!an artifact manifest)/,
      'tags: sets none of several tags if one is malformed, and stores nothing',
      'listing tags: lists none for a repository without tags',
      'the official tests: manifests that are refused: lists the tags, all of them and those after the middle (bad-digest-image/tag-list)',
    ],
  },
  {
    because: 'a repository stays when its last content goes',
    cases: [/^emptying repositories: /],
  },
  {
    because: 'it lists repositories as a tree does, in which a/b comes before a-b',
    cases: ['listing repositories: lists at most as many as wanted'],
  },
  {
    because: 'it gives up an upload whose commit was refused',
    cases: [/^uploads of which a step fails: drops what came with a commit that had the wrong sha\d+ digest$/],
  },
  {
    because: 'it takes what two send at the same time, or gives up the upload',
    cases: ['uploads of which a step fails: lets one of two win that append to the same place at the same time'],
    atTimes: /how many have won|but it is BLOB_UPLOAD_UNKNOWN/,
  },
  {
    because: 'it knows neither the artifact manifest nor a manifest that says twice what it is',
    cases: [
      /^pushing manifests: stores (?:an artifact manifest of a release candidate|a manifest that is written in an unusual way) (?:with a tag|by its sha256)/,
      'listing referrers: lists an artifact manifest of a release candidate',
      'manifests that name missing content: refuses an artifact manifest whose blob is missing',
    ],
  },
  {
    because: 'it looks for what is missing before it looks at the rest, and does not look at all of it',
    cases: [
      /^manifests that are refused: (?!refuses (?:something|no bytes|a list|a string|bytes|an image with manifests|an index whose))/,
      'manifests that name missing content: needs no content that can be fetched elsewhere',
    ],
  },
  {
    because: 'it has no API for referrers, so a list of them is a tag',
    cases: [/^the official tests: (?:artifacts-with|index-with|missing)-subject: lists the tags/],
  },
];

/** Debian's `docker-registry`, 2.8.2. */
export const dockerRegistry: readonly Deviation[] = [
  ...distribution,
  {
    because: 'it deletes no tags',
    cases: [
      /^deleting tags: /,
      'many at the same time: stays whole while tags are set and deleted over and over',
      'referrers that come and go: goes on listing a manifest whose tag was deleted',
      /^the official tests: (?:tag-param-sha256|(?!manifests that|sha|tag-param)[\w-]+): deletes each/,
    ],
  },
  {
    because: 'it lists repositories as a tree does, and goes on after a name as if it were in byte order',
    cases: ['listing repositories: lists what comes strictly after a name, which need not exist'],
  },
  {
    because: 'it lists the repositories that have ever had a blob',
    cases: [
      'pushing manifests: makes the repository exist with a manifest alone',
      'mounting: mounts nothing from where a function forbids it',
      /^mounting: keeps the blob in the other repository/,
      'deleting blobs: keeps the blob that another repository was given as well',
      /^listing repositories: (?:lists them in byte order|can be left)/,
    ],
  },
  {
    because: 'it fails where a blob is asked for as a manifest',
    cases: [
      'reading manifests: does not know a blob as a manifest',
      'deleting manifests: does not know what is not there',
    ],
  },
  {
    because: 'it appends a chunk wherever the upload stands',
    cases: ['resuming uploads: refuses to go on where the upload does not stand'],
  },
];

/** distribution v3. */
export const distributionV3: readonly Deviation[] = [
  ...distribution,
  {
    because: 'it lists the repositories that have ever had a manifest',
    cases: [
      'uploading: does not make the repository exist before the commit',
      'mounting: makes the repository exist by mounting into it',
      'pushing manifests: makes the repository exist with a manifest alone',
      'many at the same time: makes a repository once that many push into first',
    ],
  },
  {
    because: 'its list of tags is unknown for the moment in which it has none',
    cases: ['many at the same time: stays whole while tags are set and deleted over and over'],
    atTimes: /tags\/list\S* was answered 404/,
  },
  {
    because: 'it resumes an upload by an id without its state',
    cases: ['resuming uploads: does not know an id that was changed'],
  },
  {
    because: 'a part of the tags of an unknown repository is an empty list',
    cases: ['listing tags: does not know an unknown repository'],
  },
];

/** The registry of go-containerregistry, `crane registry serve`. Its documentation says that it is for tests. */
export const craneRegistry: readonly Deviation[] = [
  {
    because: 'all repositories have all blobs',
    cases: [
      'pushing blobs: verifies the bytes also of a blob that another repository has',
      'pushing blobs: makes a blob visible in its repository only',
      'reading blobs: does not know the empty blob before somebody pushed it',
      'mounting: begins an upload if the named repository lacks what another one has',
      'mounting: mounts nothing from where a function forbids it',
      /^mounting: keeps the blob in the other repository/,
      'deleting blobs: keeps the blob that another repository was given as well',
    ],
  },
  {
    because: 'it mounts nothing',
    cases: [
      /^mounting: (?:makes a sha\d+ blob of a named repository one of another|mounts a blob)/,
      'events: tells that a blob was mounted',
      /^the official tests: sha\d+ blobs: .*\(sha\d+ blobs\/mount\/(?!blob-post-put)/,
    ],
  },
  {
    because: 'it lists the repositories that have a manifest, ever had one, and all of them whatever comes first',
    cases: [
      'pushing blobs: makes the repository exist with its first blob, without a tag',
      'uploading: does not make the repository exist before the commit',
      'mounting: makes the repository exist by mounting into it',
      'listing repositories: lists what comes strictly after a name, which need not exist',
      'listing repositories: lists at most as many as wanted',
      'deleting manifests: keeps the manifest in other repositories',
      /^emptying repositories: /,
    ],
  },
  {
    because: 'nothing can be asked of an upload, nor can it be cancelled',
    cases: [
      /^uploads of which a step fails: (?:refuses (?:last )?bytes|keeps what came|lets one)/,
      /^resuming uploads: (?:goes on where the upload|commits and cancels|knows that|can be|does not know an id that was changed)/,
      /^ending uploads: (?:is over|can be cancelled)/,
      'signals: ends an append whose source hangs, and the upload can be gone on with',
      /^the official tests: sha\d+ blobs: .*\/(?:post cancel|chunked out-of-order(?: and put chunk)?)\/blob-(?!post-put)/,
    ],
  },
  {
    because: 'a chunk has to say where it belongs, and is of an unknown upload if it does not belong there',
    cases: [/^resuming uploads: (?:goes on at the end|refuses to go on)/],
  },
  {
    because: 'a repository without a manifest is unknown, whatever is asked for in it',
    cases: [
      /^pushing manifests: refuses bytes that do not have the sha\d+ digest, and sets no tag$/,
      'reading manifests: does not know a blob as a manifest',
      'tags: sets none of several tags if one is malformed, and stores nothing',
      /^the official tests: manifests that are refused: .*\((?:bad-digest-image|invalid-digest-format)\/(?:tag-list|delete)/,
    ],
  },
  {
    because: 'a tag has a sha256 digest',
    cases: [
      'pushing manifests: sets tags on a manifest that its sha512 digest names',
      'tags: moves a tag to a manifest with a sha512 digest',
      /^the official tests: (?:tag-param-)?sha512: .*\/(?:tag-list|manifest-head-by-tag|manifest-by-tag)\)$/,
    ],
  },
  {
    because:
      'it takes any bytes for a manifest, and looks for nothing but the entries of an index, which are missing by another name',
    cases: [
      /^manifests that are refused: (?!refuses an index whose entries)/,
      /^manifests that name missing content: /,
    ],
  },
  {
    because: 'it has no API for referrers, so a list of them is a tag',
    cases: [/^the official tests: (?:artifacts-with|index-with|missing)-subject: lists the tags/],
  },
  {
    because: 'it fails to delete a blob that is not there',
    cases: [
      /^deleting blobs: (?:does not know|deletes a blob once)/,
      'many at the same time: stays whole while a blob is pushed, read and deleted over and over',
    ],
  },
  {
    because: 'tags stay when their manifest is deleted',
    cases: [/^deleting manifests: (?:deletes a sha\d+ manifest with its tags|does not bring tags back)/],
  },
];

/** `crane registry serve --disk`, with blobs in files. */
export const craneRegistryOnDisk: readonly Deviation[] = [
  {
    because: 'it keeps a blob under its sha256 digest, whatever digest it was pushed by',
    cases: [
      /^pushing blobs: (?:stores a sha512 blob|keeps the sha256 and the sha512 blob)/,
      'reading a part of a blob: gives the parts of a sha512 blob, which are the whole when put together',
      /^uploading: (?!commits with a sha256).*sha512/,
      /^uploads of which a step fails: (?:refuses a commit|drops what came).*sha512/,
      'mounting: begins an upload for a sha512 blob that is not there',
      'deleting blobs: deletes a sha512 blob, and no other',
      /^the official tests: sha512 blobs: (?:says|gives)/,
      /^the official tests: (?:tag-param-)?sha512: .*\/(?:blob-post-put|blob-head|blob-get)\)$/,
    ],
  },
  ...craneRegistry,
];
