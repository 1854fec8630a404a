import { describe, expect, it } from 'vitest';
import { enforceQuery } from '../../src/promql/enforce-query.ts';
import type { Matcher } from '../../src/promql/selector.ts';

const TENANT: readonly Matcher[] = [{ label: 'tenant', operator: '=', value: 't1' }];
const enforced = (query: string): string => {
  const result = enforceQuery(query, TENANT);
  return result.ok ? result.query : `refused at ${result.position}: ${result.reason}`;
};

describe('selectors', () => {
  it.each([
    ['up', 'up{tenant="t1"}'],
    ['up{}', 'up{tenant="t1"}'],
    ['{job="a"}', '{job="a",tenant="t1"}'],
    ['up{tenant="t2"}', 'up{tenant="t2",tenant="t1"}'],
    ['up{tenant=~".*"}', 'up{tenant=~".*",tenant="t1"}'],
    ['up{tenant!="t1"}', 'up{tenant!="t1",tenant="t1"}'],
    ['{"up","tenant"="t2"}', 'up{tenant="t2",tenant="t1"}'],
    ['{__name__=~".+"}', '{__name__=~".+",tenant="t1"}'],
    ['{"my.metric"}', '{__name__="my.metric",tenant="t1"}'],
    ['{"a.b"="c"}', '{"a.b"="c",tenant="t1"}'],
    // Said once: twice would change what absent() answers.
    ['absent(up{tenant="t1"})', 'absent(up{tenant="t1"})'],
    ['ALERTS{alertstate="firing"}', 'ALERTS{alertstate="firing",tenant="t1"}'],
  ])('%s becomes %s', (query, expected) => {
    expect(enforced(query)).toBe(expected);
  });

  it('knows labels that JavaScript objects inherit, and refuses metrics of such names unless they are quoted', () => {
    expect(enforced('{constructor="a",__proto__="b"}')).toBe('{constructor="a",__proto__="b",tenant="t1"}');
    expect(enforced('sum by (constructor, __proto__) (up)')).toBe('sum by (constructor, __proto__) (up{tenant="t1"})');
    expect(enforced('{__name__="constructor"}')).toBe('{__name__="constructor",tenant="t1"}');
    for (const name of ['constructor', '__proto__']) expect(enforced(name)).toBe(`refused at 0: unexpected "${name}"`);
  });

  it.each(['sum', 'start', 'by', 'and', 'or', 'unless', 'without', 'group', 'topk', 'smoothed', 'fill', 'limitk'])(
    'takes a metric called %s for a metric, and writes it so',
    (name) => {
      const written = `{__name__="${name}",tenant="t1"}`;
      expect(enforced(name)).toBe(written);
      expect(enforced(`${name} + ${name}{}`)).toBe(`${written} + ${written}`);
      expect(enforced(`sum(${name})`)).toBe(`sum (${written})`);
    },
  );
});

describe('everything around them', () => {
  it.each([
    ['rate(up[5m])', 'rate(up{tenant="t1"}[5m])'],
    ['rate ( up [ 5m ] offset - 1h )', 'rate(up{tenant="t1"}[5m] offset -1h)'],
    ['up[1h:5m]', 'up{tenant="t1"}[1h:5m]'],
    ['(up)[1h : ] @ end ( )', '(up{tenant="t1"})[1h:] @ end()'],
    ['up @ START() OFFSET 5m', 'up{tenant="t1"} @ start() offset 5m'],
    [
      'first_over_time(up[5m]) + start() - end() * step()',
      'first_over_time(up{tenant="t1"}[5m]) + start() - end() * step()',
    ],
    ['holt_winters(up[5m], 0.5, 1.)', 'holt_winters(up{tenant="t1"}[5m], 0.5, 1)'],
    [
      'holt_winters (a[5m],.1,.2) / holt_winters(b[5m],.1,.2)',
      'holt_winters(a{tenant="t1"}[5m], .1, .2) / holt_winters(b{tenant="t1"}[5m], .1, .2)',
    ],
    ['100. + 1.e2*up / 2.E-3 - (7.)', '100 + 1e02 * up{tenant="t1"} / 2E-03 - (7)'],
    ['up @ 1. > bool 2.', 'up{tenant="t1"} @ 1 > bool 2'],
    ['sum by(a)(up) and on (b)(up)', 'sum by (a) (up{tenant="t1"}) and on (b) (up{tenant="t1"})'],
    [`up${'+up'.repeat(480)}`, `up{tenant="t1"}${' + up{tenant="t1"}'.repeat(480)}`],
    [
      `rate(up[5m])${' and rate(up[5m])'.repeat(480)}`,
      `rate(up{tenant="t1"}[5m])${' and rate(up{tenant="t1"}[5m])'.repeat(480)}`,
    ],
    ['up @ 1.5e9', 'up{tenant="t1"} @ 1.5e9'],
    ['SUM(up) BY (a, b,)', 'sum (up{tenant="t1"}) by (a, b)'],
    ['sum without () (up)', 'sum without () (up{tenant="t1"})'],
    ['sum by ("a.b", "c") (up)', 'sum by ("a.b", c) (up{tenant="t1"})'],
    ['topk(3, up)', 'topk (3, up{tenant="t1"})'],
    ["count_values('v\"', up)", String.raw`count_values ("v\"", up{tenant="t1"})`],
    ['a / on(x) group_left(y) b', 'a{tenant="t1"} / on (x) group_left (y) b{tenant="t1"}'],
    ['a > bool ignoring(x) b', 'a{tenant="t1"} > bool ignoring (x) b{tenant="t1"}'],
    ['a and on() b', 'a{tenant="t1"} and on () b{tenant="t1"}'],
    ['a ATAN2 b % -c ^ 2', 'a{tenant="t1"} atan2 b{tenant="t1"} % -c{tenant="t1"} ^ 2'],
    ['- 1 + +up', '-1 + +up{tenant="t1"}'],
    ['scalar(up) * 0x1F + Inf - NaN', 'scalar(up{tenant="t1"}) * 0x1F + Inf - NaN'],
    ['vector(time())', 'vector(time())'],
    ['label_replace(up,"tenant","$1","a",`(.*)`)', 'label_replace(up{tenant="t1"}, "tenant", "$1", "a", "(.*)")'],
    ['"a string"', '"a string"'],
  ])('%s becomes %s', (query, expected) => {
    expect(enforced(query)).toBe(expected);
    expect(enforced(expected)).toBe(expected);
  });

  it('adds several matchers, of several labels', () => {
    const matchers: readonly Matcher[] = [
      { label: 'tenant', operator: '=~', value: 't1|t"2' },
      { label: 'my.label', operator: '!=', value: '\\\n' },
    ];
    expect(enforceQuery('up', matchers)).toEqual({
      ok: true,
      query: String.raw`up{tenant=~"t1|t\"2","my.label"!="\\\n"}`,
    });
  });
});

describe('refusals', () => {
  it.each([
    ['', 'refused at 0: it is empty'],
    ['up{', 'refused at 3: the text ends too early within "{"'],
    ['up)', 'refused at 2: unexpected ")"'],
    ['sum(', 'refused at 4: the text ends too early within "("'],
    ['up;up', 'refused at 2: unexpected ";"'],
    ['up\0', "refused at 2: unexpected character: '\\u0000'"],
    ['up + ü', "refused at 5: unexpected character: 'ü'"],
    ['a.b', 'refused at 1: unexpected ".b"'],
    ['{}', 'refused at 0: a selector needs a matcher that the empty text does not match'],
    ['up or {a=""}', 'refused at 6: a selector needs a matcher that the empty text does not match'],
    ['up{__name__="up"}', 'refused at 0: the metric name is set twice'],
    ['{"up","up"}', 'refused at 0: the metric name is set twice'],
    ['{"up",__name__!="x"}', 'refused at 0: the metric name is set twice'],
    ['sum by ("") (up)', 'refused at 8: an empty label name'],
    // Functions and syntax that no version on the list has, or that select series by themselves.
    ['info(up)', 'refused at 0: info() is not allowed here'],
    ['1 + info(up, {a="b"})', 'refused at 4: info() is not allowed here'],
    ['nosuchthing(up)', 'refused at 0: unknown function with name "nosuchthing"'],
    ['1 + Rate (up[5m])', 'refused at 4: unknown function with name "Rate"'],
    ['1..5', 'refused at 1: unexpected "..5"'],
    ['1.a', 'refused at 1: unexpected ".a"'],
    ['up smoothed', 'refused at 0: "up smoothed" is not allowed here'],
    ['rate(up[5m] anchored)', 'refused at 5: "up[5m] anchored" is not allowed here'],
    ['a + fill(0) b', 'refused at 4: "fill(0)" is not allowed here'],
    ['a </ 1', 'refused at 2: "</" is not allowed here'],
    ['rate(up[5m*2])', 'refused at 8: arithmetic with durations'],
    ['rate(up[step()])', 'refused at 8: arithmetic with durations'],
    ['up offset (5m)', 'refused at 10: arithmetic with durations'],
    ['up offset -step()', 'refused at 11: arithmetic with durations'],
  ])('%j is %s', (query, expected) => {
    expect(enforced(query)).toBe(expected);
  });

  it('has nothing to add: that would be every series', () => {
    expect(enforceQuery('up', [])).toEqual({ ok: false, reason: 'nothing to enforce', position: 0 });
  });

  it.each([
    ['65537 characters', `up${' '.repeat(65_535)}`, 'longer than 65536 characters'],
    ['129 parentheses', `${'('.repeat(129)}up${')'.repeat(129)}`, expect.stringContaining('nested too deeply')],
    [
      'a chain of 500 operators',
      Array.from({ length: 501 }, () => '1').join('+'),
      expect.stringContaining('nested too deeply'),
    ],
    ['501 selectors', `absent(${Array.from({ length: 501 }, () => 'a').join(',')})`, 'more than 500 selectors'],
  ])('does not read %s', (_, query, reason) => {
    expect(enforceQuery(query, TENANT)).toMatchObject({ ok: false, reason });
  });
});
