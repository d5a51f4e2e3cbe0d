export { FoundJournals, recordsToReplay } from './found-journals.ts';
export type { JournalledContent } from './found-journals.ts';
export { encodeFrame, quarantine, randomMask, readContent, truncateJournal } from './journal-file.ts';
export type { ContentRecord, JournalPlace, JournalRecord, MovedRecord, RecordedMove } from './journal-file.ts';
export { Journal } from './journal.ts';
export type { Outcome } from './journal.ts';
export { TagMoves } from './tag-moves.ts';
export { UnsettledContent } from './unsettled-content.ts';
