import { describe, expect, test } from 'vitest';

import { requestTo, transportTo } from '../../../../test/transport-to.ts';

import { WarningsOnce } from './warnings.ts';

describe('warnings', () => {
  test('of a registry are handed on once each', async () => {
    const told: string[] = [];
    let count = 0;
    const transport = await transportTo(
      (_, response) => {
        const warnings = ['299 - "one"', `299 - "number ${count++}"`];
        response.writeHead(count === 1 ? 503 : 200, { warning: warnings.join(', ') }).end();
      },
      { onWarning: (text) => told.push(text) },
    );
    await transport.send(requestTo(transport));
    await transport.send(requestTo(transport));
    expect(told).toEqual(['one', 'number 0', 'number 1', 'number 2']);
  });

  test('are forgotten when there are very many', () => {
    const told: string[] = [];
    const warnings = new WarningsOnce((text) => told.push(text));
    const say = (text: string): void => warnings.learn(new Headers({ warning: `299 - "${text}"` }));
    for (let i = 0; i < 1000; i++) say(`${i}`);
    say('999');
    say('0');
    expect(told).toHaveLength(1001);
    expect(told.at(-1)).toBe('0');
  });
});
