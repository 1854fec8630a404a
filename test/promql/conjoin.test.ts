import { describe, expect, it } from 'vitest';
import { conjoin, product } from '../../src/promql/conjoin.ts';
import { parseSelector } from '../../src/promql/parse-selector.ts';
import { printSelector } from '../../src/promql/print-selector.ts';
import type { Selector } from '../../src/promql/selector.ts';

function selector(text: string): Selector {
  const read = parseSelector(text);
  if (!read.ok) throw new Error(read.message);
  return read.value;
}

const TENANT = [{ label: 'tenant', operator: '=', value: 't1' } as const];
const multiplied = (own: string[], asked: string[], most = 100): string[] | undefined =>
  product(own.map(selector), asked.map(selector), TENANT, most)?.map(printSelector);

describe('conjoin', () => {
  it('adds matchers beside those of the same label, and never in their place', () => {
    expect(printSelector(conjoin(selector('up{tenant="t2"}'), TENANT))).toBe('up{tenant="t2",tenant="t1"}');
    expect(printSelector(conjoin(selector('up{tenant=~"t1"}'), TENANT))).toBe('up{tenant=~"t1",tenant="t1"}');
  });

  it('says a matcher once', () => {
    const once = conjoin(selector('up'), TENANT);
    expect(conjoin(once, TENANT)).toEqual(once);
  });

  it('leaves two names two', () => {
    expect(printSelector(conjoin(selector('up'), selector('down').matchers))).toBe('{__name__="up",__name__="down"}');
  });
});

describe('product', () => {
  it('narrows every selector asked for by every one of the identity and all its labels', () => {
    expect(multiplied(['{job="a"}', '{job="b"}'], ['up', '{x="y"}'])).toEqual([
      'up{job="a",tenant="t1"}',
      'up{job="b",tenant="t1"}',
      '{x="y",job="a",tenant="t1"}',
      '{x="y",job="b",tenant="t1"}',
    ]);
  });

  it('needs no selector of the identity where there are labels', () => {
    expect(multiplied([], ['up', 'up', '{__name__="up"}'])).toEqual(['up{tenant="t1"}']);
  });

  it('is nothing for nothing asked', () => {
    expect(multiplied(['up'], [])).toEqual([]);
  });

  it('counts what differs, and gives up above the most', () => {
    expect(multiplied(['{a="1"}', '{a="2"}'], ['up', 'up'], 2)).toHaveLength(2);
    expect(multiplied(['{a="1"}', '{a="2"}'], ['up', 'down'], 3)).toBeUndefined();
  });
});
