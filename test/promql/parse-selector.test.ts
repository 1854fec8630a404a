import { describe, expect, it } from 'vitest';
import { parseSelector } from '../../src/promql/parse-selector.ts';
import { printSelector } from '../../src/promql/print-selector.ts';
import { regexBudget } from '../../src/promql/regex.ts';

const printed = (text: string): string => {
  const read = parseSelector(text);
  return read.ok ? printSelector(read.value) : `refused: ${read.message}`;
};

describe('what Prometheus reads in match[]', () => {
  it.each([
    ['up', 'up'],
    ['up{}', 'up'],
    [' up { job = "a" , } # the end', 'up{job="a"}'],
    ['{__name__="up",job!="a"}', 'up{job!="a"}'],
    ['{__name__=~"job:.*"}', '{__name__=~"job:.*"}'],
    ['job:up:rate5m', 'job:up:rate5m'],
    ['{"up"}', 'up'],
    ['{"my.metric",a="b"}', '{__name__="my.metric",a="b"}'],
    ['{"a.b"="c"}', '{"a.b"="c"}'],
    // Words of the language are metrics where nothing else is meant, and written so that nothing else can be meant.
    ['sum', '{__name__="sum"}'],
    ['by{a="b"}', '{__name__="by",a="b"}'],
    ['rate{}', 'rate'],
    ['{on="a",offset="b",sum="c"}', '{on="a",offset="b",sum="c"}'],
    // In match[] the name may be asked for twice.
    ['up{__name__=~"u.*"}', '{__name__="up",__name__=~"u.*"}'],
    [String.raw`{a='it\'s',b="\"",c=${'`\\`'}}`, String.raw`{a="it's",b="\"",c="\\"}`],
    [String.raw`{a="\x41\101\u0041\U00000041\xc3\xa9\a"}`, String.raw`{a="AAAAé\x07"}`],
    ['{a="two\r\tlines"}', String.raw`{a="two\r\tlines"}`],
    ['{a=`two\nlines`}', String.raw`{a="two\nlines"}`],
    [String.raw`{a="\ufffd"}`, String.raw`{a="\ufffd"}`],
    ['#\rup', 'up'],
    ['{a="#",b="}"}', '{a="#",b="}"}'],
  ])('reads %j as %j', (text, expected) => {
    expect(printed(text)).toBe(expected);
    expect(printed(expected)).toBe(expected);
  });
});

describe('what it refuses', () => {
  it.each([
    ['', 'it is empty'],
    ['up{', 'the text ends too early within "{", at character 4'],
    ['up}', 'unexpected "}", at character 3'],
    ['(up)', 'not a series selector'],
    ['up[5m]', 'not a series selector'],
    ['up offset 5m', 'not a series selector'],
    ['up or up', 'not a series selector'],
    ['sum(up)', 'not a series selector'],
    ['1', 'not a series selector'],
    ['"up"', 'not a series selector'],
    ['up{a="b"} {c="d"}', 'unexpected "{", at character 11'],
    ['up\u00a0', "unexpected character: '\\u00a0', at character 3"],
    ['é', "unexpected character: 'é', at character 1"],
    ['{a="b}', 'a string that does not end, at character 4'],
    ['{a="b\n"}', 'a string that does not end, at character 4'],
    ['{a=`b}', 'a string that does not end, at character 4'],
    [String.raw`{a="\'"}`, 'an escape that strings do not have, at character 5'],
    [String.raw`{a="\ud800"}`, 'an escape that strings do not have, at character 5'],
    [String.raw`{a="\x4"}`, 'an escape that strings do not have, at character 5'],
    [String.raw`{a="\400"}`, 'an escape that strings do not have, at character 5'],
    [String.raw`{a="\U00110000"}`, 'an escape that strings do not have, at character 5'],
    [String.raw`{a="\xff"}`, 'bytes that are no UTF-8, at character 4'],
    ['{a="\ufffd"}', 'text that is no Unicode, at character 5'],
    ['{a="\ud800"}', 'text that is no Unicode, at character 5'],
    ['{"",a="b"}', 'a matcher that cannot be read'],
    ['{""="b"}', 'a matcher that cannot be read'],
    ['{a=~"("}', 'not a regular expression of RE2: "("'],
    ['{a=~"(?=b)"}', 'not a regular expression of RE2: "(?=b)"'],
  ])('refuses %j: %s', (text, message) => {
    expect(parseSelector(text)).toMatchObject({ ok: false, message });
  });

  it('says what a selector is made of where a query stands for one', () => {
    expect(parseSelector('rate(up[5m])')).toEqual({
      ok: false,
      message: 'not a series selector',
      hint: 'metric and matchers only: no functions, ranges or offset',
    });
  });

  it.each(['{}', '{a=""}', '{a!="b"}', '{a=~".*"}', '{a!~"b"}', '{a=~"|b"}', '{__name__=""}', '{a=~"b*",c=~"d?"}'])(
    'refuses %j, which series without labels match',
    (text) => {
      expect(parseSelector(text)).toEqual({
        ok: false,
        message: 'a selector needs a matcher that the empty text does not match',
      });
    },
  );

  it.each(['{a!=""}', '{a=~".+"}', '{a!~".*"}', '{a=~".*",b="c"}'])('reads %j, which they do not match', (text) => {
    expect(parseSelector(text).ok).toBe(true);
  });
});

describe('bounds', () => {
  it('refuses a text of more than 65536 characters', () => {
    expect(parseSelector(`{a="${'b'.repeat(65_530)}"}`).ok).toBe(true);
    expect(parseSelector(`{a="${'b'.repeat(65_531)}"}`)).toMatchObject({
      message: 'longer than 65536 characters, at character 65537',
    });
  });

  it('lets one budget pay for the regular expressions of several selectors', () => {
    const budget = regexBudget(1_500);
    expect(parseSelector('{a=~"b{1000}"}', budget).ok).toBe(true);
    expect(parseSelector('{a=~"b{1000}"}', budget)).toEqual({
      ok: false,
      message: 'regular expressions that are too large',
    });
  });
});
