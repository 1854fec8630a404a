/** One job at a time, the parties in turn, and no more waiting than one of them may have. */
import { describe, expect, it } from 'vitest';
import { createTurns } from '../../src/request/turns.ts';

function scene(limits = { jobs: 3, bytes: 100 }) {
  const turns = createTurns(limits);
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const submit = (party: string, name: string, size = 1): boolean =>
    turns.submit(party, size, (done) => {
      begun.push(name);
      ends.push(done);
    });
  return { begun, submit, end: () => ends.at(-1)?.(), ends };
}

describe('turns', () => {
  it('begins a job when the one before has ended', () => {
    const { begun, submit, end } = scene();
    submit('a', 'a1');
    submit('a', 'a2');
    expect(begun).toEqual(['a1']);
    end();
    expect(begun).toEqual(['a1', 'a2']);
    end();
    submit('a', 'a3');
    expect(begun).toEqual(['a1', 'a2', 'a3']);
  });

  it('serves a party that comes late before what another one has waiting', () => {
    const { begun, submit, end } = scene();
    for (const name of ['a1', 'a2', 'a3', 'a4']) submit('a', name);
    submit('b', 'b1');
    submit('c', 'c1');
    for (let left = 6; left > 0; left--) end();
    expect(begun).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'a4']);
  });

  it('refuses what is too much of one party, and takes what another one brings', () => {
    const { submit, begun, end } = scene();
    expect(['a1', 'a2', 'a3', 'a4', 'a5'].map((name) => submit('a', name))).toEqual([true, true, true, true, false]);
    expect(submit('b', 'b1', 99)).toBe(true);
    expect(submit('b', 'b2', 2)).toBe(false);
    for (let left = 5; left > 0; left--) end();
    expect(begun).toEqual(['a1', 'a2', 'b1', 'a3', 'a4']);
    expect(submit('a', 'a6')).toBe(true);
  });

  it('counts an end once', () => {
    const { begun, submit, ends } = scene();
    for (const name of ['a1', 'a2', 'a3']) submit('a', name);
    ends[0]?.();
    ends[0]?.();
    expect(begun).toEqual(['a1', 'a2']);
  });
});
