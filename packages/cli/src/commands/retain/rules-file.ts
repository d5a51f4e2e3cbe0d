// Reads retention rules from a JSON file and names the wrong field of a malformed one.
import { readFile } from 'node:fs/promises';

import type { RetentionRules, TagRule, UntaggedRule } from 'ocikit/upkeep';

import { parseDuration } from '../../options/durations.ts';

type JsonObject = Record<string, unknown>;

/**
 * Retention rules from a JSON file. Times are durations as on the command line: `30d`.
 *
 * @throws Error that names the wrong or unknown field: a misspelt rule would keep less than meant
 */
export async function readRetentionFile(path: string): Promise<RetentionRules> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new Error(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  const { tags, untagged } = objectOf(value, path, ['tags', 'untagged']);
  return {
    tags: listOf(tags, `${path}: tags`).map((rule, i) => tagRule(rule, `${path}: tags[${i}]`)),
    untagged: listOf(untagged, `${path}: untagged`).map((rule, i) => untaggedRule(rule, `${path}: untagged[${i}]`)),
  };
}

function tagRule(value: unknown, where: string): TagRule {
  const { repositories, tags, keep } = objectOf(value, where, ['repositories', 'tags', 'keep']);
  const kept = objectOf(keep, `${where}.keep`, ['last', 'usedWithin', 'createdWithin', 'tags']);
  return {
    repositories: stringsOf(repositories, `${where}.repositories`),
    tags: stringsOf(tags, `${where}.tags`),
    keep: {
      last: countOf(kept['last'], `${where}.keep.last`),
      usedWithin: durationOf(kept['usedWithin'], `${where}.keep.usedWithin`),
      createdWithin: durationOf(kept['createdWithin'], `${where}.keep.createdWithin`),
      tags: stringsOf(kept['tags'], `${where}.keep.tags`),
    },
  };
}

function untaggedRule(value: unknown, where: string): UntaggedRule {
  const { repositories, keepUsedWithin } = objectOf(value, where, ['repositories', 'keepUsedWithin']);
  const within = durationOf(keepUsedWithin, `${where}.keepUsedWithin`);
  if (within === undefined) throw new Error(`${where}.keepUsedWithin is missing`);
  return { repositories: stringsOf(repositories, `${where}.repositories`), keepUsedWithin: within };
}

function objectOf(value: unknown, where: string, known: readonly string[]): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${where} must be an object`);
  const unknown = Object.keys(value).find((field) => !known.includes(field));
  if (unknown !== undefined)
    throw new Error(`${where} has the unknown field ${JSON.stringify(unknown)}; its fields are ${known.join(', ')}`);
  return value as JsonObject;
}

function listOf(value: unknown, where: string): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new Error(`${where} must be a list`);
  return value;
}

function stringsOf(value: unknown, where: string): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw new Error(`${where} must be a list of strings`);
}

function countOf(value: unknown, where: string): number | undefined {
  if (value === undefined || (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0)) return value;
  throw new Error(`${where} must be a whole number from 0 up`);
}

function durationOf(value: unknown, where: string): number | undefined {
  if (value === undefined) return undefined;
  try {
    return parseDuration(typeof value === 'string' ? value : '');
  } catch {
    throw new Error(`${where} must be a duration such as "30d"`);
  }
}
