// The actions that rules speak of, and which of them include others.

/**
 * Every action of a rule, in the order of the guide.
 *
 * @example new Option('--action <name>').choices(accessActions)
 */
export const accessActions = ['pull', 'push', 'push-only', 'overwrite', 'delete', 'list', 'history'] as const;

/**
 * An action on a repository.
 *
 * - `pull` reads blobs, manifests and tags, with the lists of tags and referrers, and shows the repository in the list
 *   of all repositories.
 * - `push` adds blobs, manifests and new tags, and includes `pull`.
 * - `push-only` is `push` without `pull`.
 * - `overwrite` moves an existing tag to other content. It needs `push` or `push-only` beside it.
 * - `delete` deletes blobs, manifests and tags.
 * - `list` is the part of `pull` that shows no content: the lists of tags, referrers and repositories.
 * - `history` reads the earlier moves of tags.
 *
 * @example const action: AccessAction = 'pull';
 */
export type AccessAction = (typeof accessActions)[number];

/**
 * True if the text is an {@link AccessAction}.
 *
 * @example isAccessAction('fly') // false
 */
export function isAccessAction(text: string): text is AccessAction {
  return (accessActions as readonly string[]).includes(text);
}

/** The actions that are judged: a rule's `push-only` answers the question whether a caller may push. */
export const judgedActions = ['pull', 'push', 'overwrite', 'delete', 'list', 'history'] as const;

/** An action that is judged. */
export type JudgedAction = (typeof judgedActions)[number];

/** The action that is judged for an action in a question. */
export function judgedAction(action: AccessAction): JudgedAction {
  return action === 'push-only' ? 'push' : action;
}

/** The actions that a word allows. */
export const allowedBy: Readonly<Record<AccessAction, readonly JudgedAction[]>> = {
  pull: ['pull', 'list'],
  push: ['push', 'pull', 'list'],
  'push-only': ['push'],
  overwrite: ['overwrite'],
  delete: ['delete'],
  list: ['list'],
  history: ['history'],
};

/** The actions that a word denies. To deny `push` leaves `pull`; to deny `pull` hides the repository from lists too. */
export const deniedBy: Readonly<Record<AccessAction, readonly JudgedAction[]>> = { ...allowedBy, push: ['push'] };
