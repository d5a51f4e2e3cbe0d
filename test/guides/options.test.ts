// Proves that the guides leave out no option, and that their links lead somewhere.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { parseSync } from 'oxc-parser';
import { describe, expect, test } from 'vitest';

import { exportsOfLibrary } from './exports.ts';
import type { Export } from './exports.ts';

const directory = fileURLToPath(new URL('../../docs/guides/', import.meta.url));
const textOf = (guide: string): string => readFileSync(`${directory}${guide}`, 'utf8');
const all = exportsOfLibrary();

/** The fields of an interface. */
function fieldsOf({ declaration }: Export): string[] {
  const { program } = parseSync('declaration.ts', declaration);
  return program.body.flatMap((statement) => {
    if (statement.type !== 'ExportNamedDeclaration' || statement.declaration?.type !== 'TSInterfaceDeclaration')
      return [];
    return statement.declaration.body.body.flatMap((member) =>
      member.type === 'TSPropertySignature' && member.key.type === 'Identifier' ? [member.key.name] : [],
    );
  });
}

describe.each([
  ['client.md', ['ClientOptions', 'BackOff', 'ParallelOptions', 'NodeFetchOptions', 'DockerCredentialsOptions']],
  ['client.md', ['TransfersOptions']],
  ['server.md', ['ServerOptions', 'ServerLimits', 'ServeOptions', 'ServeLimits', 'Server']],
  ['layouts.md', ['LayoutOptions', 'LayoutsOptions']],
  ['blob-stores.md', ['MemoryRegistryOptions']],
  [
    'testing.md',
    ['TestServerOptions', 'FaultOptions', 'RefuseOptions', 'CutOptions', 'RedirectOptions', 'SlowOptions'],
  ],
  ['testing.md', ['CorruptOptions', 'ResizeOptions', 'TokenOptions', 'ContractTarget', 'ContractTraits']],
  ['own-store.md', ['PartialRegistryOptions', 'CreateContentOptions']],
  ['access.md', ['GuardLoginsOptions', 'HtpasswdOptions', 'WatchFileOptions', 'NewRobot', 'RobotsOptions']],
  ['access.md', ['AccessControlOptions', 'OidcIssuerOptions', 'SigningKeysOptions', 'TokenIssuerOptions']],
  ['access.md', ['AccessRule', 'AccessRulesOptions', 'RulesDocument', 'StaticUser', 'Identity']],
  ['images.md', ['PullOptions', 'PushOptions', 'CreateImageOptions']],
])('the guide %s', (guide, interfaces) => {
  const code = Array.from(textOf(guide).matchAll(/`([^`\n]+)`/g), ([, span = '']) => span);

  test.each(interfaces)('has each field of %s', (name) => {
    const found = all.find((each) => each.name === name);
    const fields = found === undefined ? [] : fieldsOf(found);
    expect(fields).not.toHaveLength(0);
    expect(fields.filter((field) => !code.some((span) => new RegExp(`\\b${field}\\b`).test(span)))).toEqual([]);
  });
});

test.each(readdirSync(directory))('the links of the guide %s lead to files', (guide) => {
  const links = Array.from(textOf(guide).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g), ([, target = '']) => target);
  expect(links.filter((target) => !/^https?:/.test(target) && !existsSync(`${directory}${target}`))).toEqual([]);
});
