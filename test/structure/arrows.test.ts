// Holds the table of rooms. With OCIKIT_PRINT_ROOMS=1 (`npm run structure:print`) it prints the rows that are in use.
import { test } from 'vitest';

import { checkArrows } from './arrows.ts';
import { listed, rowsInUse } from './report.ts';
import { rooms } from './rooms.ts';
import { readSources } from './sources.ts';

const sources = readSources(['packages', 'test', 'bench'], /\.[cm]?[jt]s$|^package\.json$/);
const outcome = checkArrows(sources, rooms);

if (process.env['OCIKIT_PRINT_ROOMS'] === '1') process.stdout.write(`${rowsInUse(outcome, rooms)}\n`);

test('each file imports what the table of rooms lets it import, and the table has nothing that is not in use', () => {
  if (outcome.complaints.length > 0) throw new Error(`\n${listed(outcome.complaints)}`);
});
