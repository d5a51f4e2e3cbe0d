import { describe, expect, test } from 'vitest';

import { parseScopes } from '../scopes/index.ts';

import { memoryRobots } from './robot-record.ts';
import { formatRobots, parseRobots } from './robots-text.ts';
import { isRobotToken, openRobots } from './robots.ts';

const day = 24 * 60 * 60_000;

async function setUp() {
  const time = { now: Date.UTC(2026, 11, 1) };
  const store = memoryRobots();
  const robots = await openRobots(store, { now: () => time.now });
  return { time, store, robots };
}

describe('a robot', () => {
  test('logs in with its token as the password of its user', async () => {
    const { robots } = await setUp();
    const { token, robot } = await robots.create({ user: 'ci', scopes: parseScopes('repository:team/app:pull') });
    expect(token).toMatch(/^ocikit_[0-9a-f]{12}_[0-9a-f]{64}$/);
    expect(isRobotToken(token)).toBe(true);
    const identity = await robots.check('ci', token);
    expect(identity).toEqual({
      user: 'ci',
      groups: [],
      claims: { robot: robot.id },
      expires: undefined,
      scopes: [{ type: 'repository', name: 'team/app', actions: ['pull'] }],
    });
    // The same object, as decisions are remembered by it.
    expect(await robots.check('ci', token)).toBe(identity);
  });

  test.each([
    ['another user', (token: string) => ['alice', token]],
    ['no user', (token: string) => ['', token]],
    ['another case of the user', (token: string) => ['CI', token]],
    ['a changed secret', (token: string) => ['ci', token.replace(/.$/, (last) => (last === '0' ? '1' : '0'))]],
    ['a changed id', (token: string) => ['ci', token.replace(/_./, (start) => (start === '_0' ? '_1' : '_0'))]],
    ['more behind it', (token: string) => ['ci', `${token}0`]],
    ['upper-case digits', (token: string) => ['ci', token.replace(/_[0-9a-f]+$/, (secret) => secret.toUpperCase())]],
    ['the stored hash', (_token: string, hash: string) => ['ci', hash]],
    ['nothing', () => ['ci', '']],
  ])('does not log in with %s', async (_what, login) => {
    const { robots, store } = await setUp();
    const { token } = await robots.create({ user: 'ci' });
    const [record] = await store.read();
    const [user = '', password = ''] = login(token, record?.hash ?? '');
    expect(await robots.check(user, password)).toBeUndefined();
  });

  test('is stored without its token', async () => {
    const { robots, store } = await setUp();
    const { token, robot } = await robots.create({ user: 'ci' });
    const [, , secret = ''] = token.split('_');
    expect(secret).toHaveLength(64);
    expect(JSON.stringify([await store.read(), await robots.list(), robot])).not.toContain(secret);
    expect(JSON.stringify(await robots.list())).not.toContain('sha256');
  });

  test('ends at its time, and is listed as ending before', async () => {
    const { time, robots } = await setUp();
    const { token, robot } = await robots.create({ user: 'ci', expires: time.now + 90 * day });
    await robots.create({ user: 'eternal' });
    const states = async () => (await robots.list()).map(({ state }) => state);
    expect(await states()).toEqual(['valid', 'valid']);
    expect(robots.ending()).toEqual([]);
    time.now += 76 * day;
    expect(await states()).toEqual(['ending', 'valid']);
    expect(robots.ending().map(({ id }) => id)).toEqual([robot.id]);
    expect(await robots.check('ci', token)).toMatchObject({ expires: robot.expires });
    time.now += 14 * day;
    expect(await states()).toEqual(['expired', 'valid']);
    expect(await robots.check('ci', token)).toBeUndefined();
    expect(await robots.find?.('ci')).toEqual([]);
  });

  test('ends when it is revoked, and others stay', async () => {
    const { robots } = await setUp();
    let changes = 0;
    robots.onChange?.(() => changes++);
    const one = await robots.create({ user: 'ci' });
    const other = await robots.create({ user: 'ci', note: 'nightly' });
    expect(await robots.find?.('ci')).toHaveLength(2);
    const identity = await robots.check('ci', other.token);
    expect((await robots.find?.('ci'))?.map((entry) => entry.identity)).toContain(identity);
    expect(await robots.revoke(one.robot.id)).toBe(true);
    expect(await robots.revoke(one.robot.id)).toBe(false);
    expect(await robots.check('ci', one.token)).toBeUndefined();
    expect(await robots.check('ci', other.token)).toBe(identity);
    expect(await robots.list()).toMatchObject([{ id: other.robot.id, note: 'nightly' }]);
    expect(changes).toBeGreaterThanOrEqual(3);
  });

  test('that another process made or revoked is seen after a reload', async () => {
    const { robots, store } = await setUp();
    const elsewhere = await openRobots(store);
    const { token, robot } = await elsewhere.create({ user: 'ci' });
    expect(await robots.check('ci', token)).toBeUndefined();
    await robots.reload();
    expect(await robots.check('ci', token)).toBeDefined();
    await elsewhere.revoke(robot.id);
    await robots.reload();
    expect(await robots.check('ci', token)).toBeUndefined();
  });

  test('that may push may also pull, as in rules', async () => {
    const { robots } = await setUp();
    const scopes = parseScopes('repository:team/**:push repository:drop:push-only registry:catalog:*');
    const { robot } = await robots.create({ user: 'ci', scopes });
    expect(robot.scopes?.map(({ name, actions }) => `${name}:${actions.join(',')}`)).toEqual([
      'team/**:pull,push',
      'drop:push-only',
      'catalog:*',
    ]);
  });

  test.each([
    [{ user: '' }, 'the name of the user is empty'],
    [{ user: 'a:b' }, 'colon'],
    [{ user: 'ci', expires: 1 }, 'already passed'],
    [{ user: 'ci', expires: NaN }, 'already passed'],
    [{ user: 'ci', scopes: [] }, 'the list of scopes is empty'],
    [{ user: 'ci', scopes: [{ type: 'repository', name: 'Team/App', actions: ['pull'] }] }, 'upper-case'],
    [{ user: 'ci', scopes: [{ type: 'repository', name: 'a//b', actions: ['pull'] }] }, 'empty part'],
    [{ user: 'ci', scopes: [{ type: 'repository', name: 'a/${user}', actions: ['pull'] }] }, 'no meaning in a scope'],
    [{ user: 'ci', scopes: [{ type: 'repository', name: 'a', actions: ['pul'] }] }, '"pul" is none of pull, push'],
    [{ user: 'ci', scopes: [{ type: 'plugin', name: 'a', actions: ['pull'] }] }, 'write repository:NAME:ACTIONS'],
  ])('is not made of %j', async (robot, reason) => {
    const { robots } = await setUp();
    await expect(robots.create(robot)).rejects.toThrow(reason);
    expect(await robots.list()).toEqual([]);
  });
});

describe('the text of a file of robots', () => {
  test('is read as it was written', async () => {
    const { robots, store, time } = await setUp();
    await robots.create({
      user: 'ci',
      scopes: parseScopes('repository:a:pull,push'),
      expires: time.now + day,
      note: 'x',
    });
    await robots.create({ user: 'other' });
    const records = await store.read();
    expect(parseRobots(formatRobots(records))).toEqual(records);
  });

  const robot = {
    id: '0123456789ab',
    user: 'ci',
    created: '2026-12-01T00:00:00Z',
    hash: `sha256:${'0'.repeat(64)}`,
  };
  test.each([
    ['', 'no JSON'],
    ['{"version":1,"robots":[', 'no JSON'],
    ['null', 'another version'],
    ['{"version":2,"robots":[]}', 'another version'],
    ['{"version":1}', 'no list robots'],
    [[null], 'robots[0]: it must be an object'],
    [[{ ...robot, id: 'x' }], 'robots[0].id'],
    [[{ ...robot, user: undefined }], 'robots[0].user'],
    [[{ ...robot, hash: 'secret' }], 'robots[0].hash'],
    [[{ ...robot, expires: 'tomorrow' }], 'robots[0].expires'],
    [[{ ...robot, expires: 5 }], 'robots[0].expires'],
    [[{ ...robot, scope: ['a'] }], 'robots[0].scope'],
    [[robot, robot], 'robots[1].id: 0123456789ab is there twice'],
  ])('is refused as %j', (content, reason) => {
    const text = typeof content === 'string' ? content : JSON.stringify({ version: 1, robots: content });
    expect(() => parseRobots(text)).toThrow(reason);
  });

  test('with scopes that are none leaves the robot without any right', () => {
    const [record] = parseRobots(JSON.stringify({ version: 1, robots: [{ ...robot, scope: 'nonsense' }] }));
    expect(record?.scopes).toEqual([]);
  });
});
