// Prints complaints, and the rows that the table would have if it said how things are.
import type { Complaint, Outcome, Use } from './arrows.ts';
import type { Rooms } from './room.ts';

/** One complaint after the other, each with what to do. */
export function listed(complaints: readonly Complaint[]): string {
  return complaints.map(({ rule, at, problem, remedy }) => `[${rule}] ${at}: ${problem}\n    ${remedy}`).join('\n');
}

/** Rows to paste into the table. Rows still to come, and arrows to them, stay as they are. */
export function rowsInUse({ uses }: Outcome, rooms: Rooms): string {
  const keys = [...new Set([...Object.keys(rooms), ...[...uses.keys()].toSorted()])];
  return keys.map((key) => `  '${key}': ${fieldsOf(key, uses.get(key), rooms)},`).join('\n');
}

function fieldsOf(key: string, use: Use | undefined, rooms: Rooms): string {
  const row = rooms[key];
  const toCome = (row?.imports ?? []).filter((name) => use === undefined || rooms[name]?.toCome === true);
  const fields = [`imports: ${list([...toCome, ...(use?.imports ?? [])])}`];
  for (const field of ['doors', 'innerDoors', 'node', 'nodeTypes', 'packages'] as const) {
    const names =
      row?.[field]?.includes('*') === true && use !== undefined && use[field].size > 0
        ? ['*']
        : [...(use?.[field] ?? [])];
    if (names.length > 0) fields.push(`${field}: ${list(names)}`);
  }
  if (use === undefined) fields.push('toCome: true');
  if (row?.tests === true) fields.push('tests: true');
  return `{ ${fields.join(', ')} }`;
}

function list(names: readonly string[]): string {
  return `[${[...new Set(names)]
    .toSorted()
    .map((name) => `'${name}'`)
    .join(', ')}]`;
}
