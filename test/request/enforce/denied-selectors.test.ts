/** `deny_match` recognises what is as wide as a denied selector, in whatever spelling. */
import { describe, expect, it } from 'vitest';
import { isDenied, narrownessOf } from '../../../src/request/enforce/denied-selectors.ts';
import { parseSelector } from '../../../src/promql/parse-selector.ts';
import type { Selector } from '../../../src/promql/selector.ts';

function selector(text: string): Selector {
  const read = parseSelector(text);
  if (!read.ok) throw new Error(`${text}: ${read.message}`);
  return read.value;
}

const isRefused = (asked: string, ...denied: string[]): boolean =>
  isDenied(
    selector(asked),
    denied.map((one) => narrownessOf(selector(one))),
  );

describe('deny_match', () => {
  it.each([
    '{__name__=~".+"}',
    '{__name__!=""}',
    "{__name__=~'.+',}",
    '{__name__=~".+",__name__!=""}',
    '{__name__!="",job=~".*"}',
  ])('of everything refuses %s', (asked) => {
    expect(isRefused(asked, '{__name__=~".+"}')).toBe(true);
    expect(isRefused(asked, '{__name__!=""}')).toBe(true);
  });

  it.each(['up', '{__name__=~"node_.+"}', '{job="node"}', '{job=~".+"}', '{job!=""}'])(
    'of everything lets %s through',
    (asked) => {
      expect(isRefused(asked, '{__name__=~".+"}')).toBe(false);
    },
  );

  it('of one selector refuses what has no matcher beside its own', () => {
    const denied = '{job="node",mode!="idle"}';
    expect(isRefused('{mode!="idle",job="node"}', denied)).toBe(true);
    expect(isRefused('{job="node"}', denied)).toBe(true);
    expect(isRefused('{job=~"node"}', denied)).toBe(true);
    expect(isRefused('{job="node",mode!~"idle"}', denied)).toBe(true);
    expect(isRefused('{job="node",mode="user"}', denied)).toBe(false);
    expect(isRefused('{job="node",mode!="idle",cpu="0"}', denied)).toBe(false);
    expect(isRefused('{__name__="a",job="node"}', denied)).toBe(false);
  });

  it('of several refuses what is as wide as one of them', () => {
    expect(isRefused('down', 'up', 'down')).toBe(true);
    expect(isRefused('{__name__="down"}', 'up', 'down')).toBe(true);
    expect(isRefused('up')).toBe(false);
  });
});
