/** Who yields when a bounded table is full. */
import fc from '../support/property.ts';
import { expect, it } from 'vitest';
import { FairPlaces } from '../../src/lib/fair-places.ts';

const silent = (): boolean => true;

it('lets the oldest of the largest group yield', () => {
  const places = new FairPlaces<string>();
  places.add('lone', ['net 1', 'a']);
  for (const name of ['first', 'second', 'third']) places.add(name, ['net 2', 'b']);
  expect(places.yielding(silent)).toBe('first');
  places.delete('first');
  expect(places.yielding(silent)).toBe('second');
});

it('counts a net of many small groups as one party', () => {
  const places = new FairPlaces<string>();
  for (const name of ['honest 1', 'honest 2', 'honest 3']) places.add(name, ['net 1', 'a']);
  for (let host = 0; host < 5; host++) places.add(`bot ${host}`, ['net 2', `host ${host}`]);
  expect(places.yielding(silent)).toBe('bot 0');
});

it('lets one that is silent go before one that waits for an answer', () => {
  const places = new FairPlaces<string>();
  for (const name of ['busy', 'silent']) places.add(name, ['a']);
  expect(places.yielding((name) => name === 'silent')).toBe('silent');
  expect(places.yielding(() => false)).toBe('busy');
});

it('looks within one group only, when asked to', () => {
  const places = new FairPlaces<string>();
  for (const name of ['x', 'y', 'z']) places.add(name, ['net', 'large']);
  places.add('small', ['net', 'small']);
  expect(places.yielding(silent, ['net', 'small'])).toBe('small');
  expect(places.yielding(silent, ['net', 'none'])).toBeNull();
  expect(new FairPlaces().yielding(silent)).toBeNull();
});

it('never lets one of a smaller group yield, whatever came and went', () => {
  const step = fc.record({ group: fc.nat(4), leaves: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const places = new FairPlaces<number>();
      const held = new Map<number, number>();
      steps.forEach(({ group, leaves }, id) => {
        places.add(id, [`net ${group % 2}`, `group ${group}`]);
        held.set(id, group);
        const [oldest] = held.keys();
        if (!leaves || oldest === undefined) return;
        expect(places.delete(oldest)).toBe(true);
        expect(places.delete(oldest)).toBe(false);
        held.delete(oldest);
      });
      expect(places.size).toBe(held.size);
      const sizeOf = (matches: (group: number) => boolean): number => [...held.values()].filter(matches).length;
      const yielding = places.yielding(silent);
      if (yielding === null) {
        expect(held.size).toBe(0);
        return;
      }
      const group = held.get(yielding) ?? -1;
      const net = sizeOf((other) => other % 2 === group % 2);
      expect(net).toBeGreaterThanOrEqual(held.size - net);
      for (let other = group % 2; other <= 4; other += 2) {
        expect(sizeOf((one) => one === group)).toBeGreaterThanOrEqual(sizeOf((one) => one === other));
      }
      expect([...held].find(([, one]) => one === group)?.[0]).toBe(yielding);
    }),
  );
});

it('gives a newcomer the place of the one that yields, and knows who is left', () => {
  const places = new FairPlaces<string>();
  for (const name of ['first', 'second']) expect(places.enter(name, ['net', 'a'], { most: 3 })).toBeNull();
  expect(places.enter('lone', ['other', 'b'], { most: 3 })).toBeNull();
  expect(places.enter('third', ['net', 'c'], { most: 3, isSilent: (name) => name === 'second' })).toBe('second');
  expect([...places.holders()]).toEqual(['first', 'lone', 'third']);
  expect([places.sizeOf('net'), places.sizeOf('other'), places.sizeOf('none')]).toEqual([2, 1, 0]);
});
