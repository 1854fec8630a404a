/** No row may pass without its load: what the bench believes of a load tool, and of a server. */
import { describe, expect, test } from 'vitest';
import { samplesOf, sumOf, sumsBy } from '../../bench/exposed.ts';
import { readStatuses, wrongCredentials } from '../../bench/guesses.ts';
import { calm, medianOf } from '../../bench/latency.ts';
import { readWrk } from '../../bench/load.ts';
import { agree, atLeastAsMuch, endedWell, LoadFailed, refused, since, suffers, total } from '../../bench/proof.ts';

describe('a load tool', () => {
  test.each([
    [
      'panicked',
      { code: 1, signal: null, stdout: '', stderr: 'PANIC: unprotected error in call to Lua API' },
      'code 1\nPANIC',
    ],
    [
      'was killed',
      { code: null, signal: 'SIGKILL' as const, stdout: 'half', stderr: '' },
      'was ended by SIGKILL\nhalf',
    ],
  ])('that %s has made no load', (_what, finished, message) => {
    expect(() => {
      endedWell('wrk', finished);
    }).toThrow(message);
  });

  test('that ended well is believed', () => {
    endedWell('wrk', { code: 0, signal: null, stdout: '', stderr: '' });
  });

  test('is counted by what it prints, what did not come whole as wrong', () => {
    const text = `Running 1s test @ https://127.0.0.1:1/
  1 threads and 16 connections
  16023 requests in 1.00s, 2.50MB read
  Socket errors: connect 0, read 3, write 0, timeout 1
  Non-2xx or 3xx responses: 20
Requests/sec:  16001.42
Transfer/sec:      2.41MB
`;
    expect(readWrk(text)).toEqual({ perSecond: 16001.42, requests: 16023, bytes: 2.5 * 1_048_576, wrong: 24 });
    expect(readWrk('PANIC').requests).toBeNaN();
  });

  test('guesses another password each time, and says what it was answered', () => {
    const credentials = wrongCredentials('prom', 1000);
    expect(new Set(credentials).size).toBe(1000);
    // Of every length: base64 fills up what is no multiple of three.
    for (const [index, text] of credentials.entries()) {
      const [, encoded = ''] = /^Basic ([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? [];
      expect(Buffer.from(encoded, 'base64').toString()).toBe(`prom:guess${index}`);
    }
    expect(readStatuses('answered 401 20\nanswered 429 3\nanswered 401 1\n')).toEqual({ 401: 21, 429: 3 });
    expect(total(readStatuses('Running 1s test'))).toBe(0);
  });
});

describe('the two ends of a load', () => {
  test('agree when they differ by what was under way, and not otherwise', () => {
    agree('guesses', 1000, 1010);
    agree('guesses', 10_000, 10_190);
    expect(() => {
      agree('guesses', 5000, 0);
    }).toThrow(new LoadFailed('guesses: 5000 at the load, 0 at the server'));
    expect(() => {
      agree('scrapes', 12, 13, { count: 0 });
    }).toThrow(LoadFailed);
  });

  test('have to be more than nothing', () => {
    expect(() => {
      atLeastAsMuch('guesses', 0, 15);
    }).toThrow('guesses: 0, which is less than 15');
    expect(() => {
      atLeastAsMuch('guesses', NaN, 15);
    }).toThrow(LoadFailed);
  });

  test('a server that hashes where it serves has to suffer, or there was no flood', () => {
    suffers('nginx', 50, 800, 3);
    expect(() => {
      suffers('nginx', 53.9, 59.4, 3);
    }).toThrow('nginx must suffer from this load, 3 times its quiet p99 at least, and does not');
  });

  test('are compared by status, from one moment to the next', () => {
    const counted = since({ 200: 5, 401: 2 }, { 200: 9, 401: 2, 429: 7 });
    expect(counted).toEqual({ 200: 4, 429: 7 });
    expect(refused(counted)).toEqual({ 429: 7 });
  });
});

test('a page of metrics is read by name and label', () => {
  const page = `# TYPE x_total counter
x_total{code="200",identity="a \\"b\\""} 3
x_total{code="401",identity=""} 4
x_total{code="200",identity="c"} 5 1700000000000
x_total_more 7
up 1
`;
  expect(sumsBy(page, 'x_total', 'code')).toEqual({ 200: 8, 401: 4 });
  expect(sumOf(page, 'x_total', { identity: 'c' })).toBe(5);
  expect(sumOf(page, 'up')).toBe(1);
  expect(samplesOf(page, 'nothing')).toEqual([]);
});

test('a scraper is calm within twice its quiet p99, and only when every scrape was answered', () => {
  const quiet = { p50: 1, p99: 4, failures: 0 };
  expect(calm('', { quiet, loaded: { p50: 1, p99: 8, failures: 0 } }).met).toBe(true);
  expect(calm('', { quiet, loaded: { p50: 1, p99: 8.1, failures: 0 } }).met).toBe(false);
  const lost = calm('silent sockets', { quiet, loaded: { p50: 1, p99: 4, failures: 3 } });
  expect(lost).toMatchObject({ met: false, measured: '4.0 ms, quiet 4.0 ms, 3 not answered' });
  // Nothing at all was answered.
  expect(calm('', { quiet, loaded: { p50: NaN, p99: NaN, failures: 0 } }).met).toBe(false);
});

test('several rounds are one by their median, and lose nothing that was lost', () => {
  const round = (p99: number, failures: number) => ({ p50: 1, p99, failures });
  expect(medianOf([round(9, 0), round(2, 1), round(3, 2)])).toEqual({ p50: 1, p99: 3, failures: 3 });
});
