// The history of tags: reading earlier states, and undoing moves.
export { asOf } from './as-of.ts';
export { tagAt } from './tag-at.ts';
export { undoTag } from './undo-tag.ts';
export type { UndoneTag } from './undo-tag.ts';
