import { describe, expect, test } from 'vitest';
import { UnseenStreams } from '../../src/listen/unseen-streams.ts';

describe('unseen streams', () => {
  test('streams that all came leave none', () => {
    const streams = new UnseenStreams();
    expect([1, 3, 5].map((id) => streams.saw(id))).toEqual([0, 0, 0]);
    expect(streams.processed(5, true)).toBe(0);
  });

  test('a gap is counted once, whoever finds it first', () => {
    const streams = new UnseenStreams();
    expect(streams.saw(1)).toBe(0);
    expect(streams.saw(7)).toBe(2);
    expect(streams.processed(7, false)).toBe(0);
    expect(streams.processed(11, false)).toBe(1);
    expect(streams.saw(13)).toBe(1);
    expect(streams.processed(17, true)).toBe(2);
  });

  test('the headers of the last one may still be on their way until the session is over', () => {
    const streams = new UnseenStreams();
    expect(streams.processed(1, false)).toBe(0);
    expect(streams.saw(1)).toBe(0);
    expect(streams.processed(3, false)).toBe(0);
    expect(streams.processed(3, true)).toBe(1);
  });

  test('the first stream may be the one that never came', () => {
    expect(new UnseenStreams().processed(1, true)).toBe(1);
    expect(new UnseenStreams().saw(3)).toBe(1);
  });

  test('a session without requests has none', () => {
    expect(new UnseenStreams().processed(0, true)).toBe(0);
    expect(new UnseenStreams().processed(undefined, true)).toBe(0);
  });
});
