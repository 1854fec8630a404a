/**
 * The attack: a query that the gate reads in one way and Prometheus in another, so that the matcher lands where it does
 * nothing. A comment ends at a carriage return for Prometheus and not for the grammar for editors; a brace in a string, an
 * escaped quote or a raw string ends a selector for a careless reader; `sum` or `start` is a metric in one place and not in
 * another; `info()` reads series that no selector shows. Strings and comments are read by Prometheus's rules, the query is
 * written anew from what was read, and nothing of its text survives that has no place in the closed list.
 */
import { describe, expect, it } from 'vitest';
import { enforceQuery } from '../../src/promql/enforce-query.ts';

const enforced = (query: string): string => {
  const result = enforceQuery(query, [{ label: 'tenant', operator: '=', value: 't1' }]);
  return result.ok ? result.query : 'refused';
};

describe('a comment', () => {
  it.each([
    ['up #\r or up{tenant="t2"}', 'up{tenant="t1"} or up{tenant="t2",tenant="t1"}'],
    ['up #\n or up{tenant="t2"}', 'up{tenant="t1"} or up{tenant="t2",tenant="t1"}'],
    ['up # or up{tenant="t2"}', 'up{tenant="t1"}'],
    ['up{a="b" # }\r}', 'up{a="b",tenant="t1"}'],
    ['up{ # "\r}', 'up{tenant="t1"}'],
    ['- # "\r 1 + up', '-1 + up{tenant="t1"}'],
    ['up #', 'up{tenant="t1"}'],
    // What other readers take for the end of a line.
    ['up # \u2028 or up{tenant="t2"}', 'up{tenant="t1"}'],
    ['up # \u0085 or down', 'up{tenant="t1"}'],
  ])('%j becomes %j', (query, expected) => {
    expect(enforced(query)).toBe(expected);
  });
});

describe('a string', () => {
  it.each([
    ['up{a="}"}', 'up{a="}",tenant="t1"}'],
    ['up{a="#"} or down', 'up{a="#",tenant="t1"} or down{tenant="t1"}'],
    [String.raw`up{a="\"} or up{tenant=\"t2"}`, String.raw`up{a="\"} or up{tenant=\"t2",tenant="t1"}`],
    [String.raw`up{a='"',b='"'}`, String.raw`up{a="\"",b="\"",tenant="t1"}`],
    ['up{a=`\\`} or down{b="`"}', 'up{a="\\\\",tenant="t1"} or down{b="`",tenant="t1"}'],
    [String.raw`up{a="\x22} or down{b=\""}`, String.raw`up{a="\"} or down{b=\"",tenant="t1"}`],
    [String.raw`up{a="\\",b="c"}`, String.raw`up{a="\\",b="c",tenant="t1"}`],
    [
      String.raw`label_replace(up, "tenant", "t2", "", "") or {tenant="t2"}`,
      String.raw`label_replace(up{tenant="t1"}, "tenant", "t2", "", "") or {tenant="t2",tenant="t1"}`,
    ],
    // A raw string may hold line ends, one in quotes may not.
    ['up{a=`\n#`}', String.raw`up{a="\n#",tenant="t1"}`],
    ['up{a="\n"}', 'refused'],
    ['up{a="\\\n"}', 'refused'],
    ['up{a="b}', 'refused'],
    ['up{a=\'b"}', 'refused'],
  ])('%j becomes %j', (query, expected) => {
    expect(enforced(query)).toBe(expected);
  });
});

describe('a word', () => {
  it.each([
    ['sum', '{__name__="sum",tenant="t1"}'],
    ['sum(sum)', 'sum ({__name__="sum",tenant="t1"})'],
    ['sum by (start) (start @ start())', 'sum by (start) ({__name__="start",tenant="t1"} @ start())'],
    ['rate{} or rate(rate[1m])', 'rate{tenant="t1"} or rate(rate{tenant="t1"}[1m])'],
    ['info', 'info{tenant="t1"}'],
    ['info(up)', 'refused'],
    ['INFO(up)', 'refused'],
    // Letters that look like others, and gaps that only some readers skip.
    ['up\u00a0or\u00a0down', 'refused'],
    ['up\u200b', 'refused'],
    ['ｕｐ', 'refused'],
    ['up\vor down', 'refused'],
  ])('%j becomes %j', (query, expected) => {
    expect(enforced(query)).toBe(expected);
  });
});
