import { describe, expect, test } from 'vitest';

import { parseWrk, wrkScript } from './wrk.ts';

const output = `Running 2s test @ http://127.0.0.1:7071
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   571.29us    1.58ms  21.19ms   94.77%
    Req/Sec    64.22k    24.64k   82.83k    80.00%
  127370 requests in 2.00s, 79.80MB read
Requests/sec:  63601.43
Transfer/sec:     39.85MB
summary {"requests":127370,"microseconds":2002627,"connect":0,"read":0,"write":0,"status":0,"timeout":0}
`;

describe("wrk's output", () => {
  test('has the number of answered requests, and the duration', () => {
    const load = parseWrk(output);
    expect(load.done).toBe(127_370);
    expect(load.seconds).toBeCloseTo(2.002627);
    expect(load).toMatchObject({ errors: 0 });
    expect(load.firstError).toBeUndefined();
  });

  test('has the number of failed requests, by kind', () => {
    const failed = output.replace('"read":0', '"read":3').replace('"status":0', '"status":40');
    expect(parseWrk(failed)).toMatchObject({ errors: 43, firstError: '3 × read, 40 × status' });
  });

  test('without a summary is an error that contains the output', () => {
    expect(() => parseWrk('unable to connect to 127.0.0.1:1')).toThrow('unable to connect');
  });
});

test("wrk's script quotes characters that are special in Lua", () => {
  const script = wrkScript({ paths: ['/v2/a"b\\c'], headers: 'Accept: a/b\r\nX: "1"\r\n' });
  expect(script).toContain('"/v2/a\\034b\\092c"');
  expect(script).toContain('["Accept"] = "a/b", ["X"] = "\\0341\\034"');
});
