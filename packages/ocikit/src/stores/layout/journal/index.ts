// The journal that makes pushes durable, and the history of tags.
export { FoundJournals, recordsToReplay } from './found-journals.ts';
export type { JournalledContent } from './found-journals.ts';
export { HistoryFiles } from './history-files.ts';
export {
  encodeFrame,
  journalPath,
  quarantine,
  quarantined,
  randomMask,
  readContent,
  truncateJournal,
} from './journal-file.ts';
export type { ContentRecord, JournalPlace, JournalRecord, TagMoveRecord, RecordedMove } from './journal-file.ts';
export { Journal } from './journal.ts';
export type { Outcome } from './journal.ts';
export { UnsettledContent } from './unsettled-content.ts';
