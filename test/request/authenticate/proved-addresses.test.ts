import { expect, test } from 'vitest';
import { createProvedAddresses } from '../../../src/request/authenticate/proved-addresses.ts';

test('a user keeps the last of its addresses, and displaces none of another user', () => {
  const addresses = createProvedAddresses(2);
  for (const group of ['a', 'b', 'a', 'c']) addresses.proved('prom', group);
  addresses.proved('grafana', 'b');
  for (let group = 0; group < 50; group++) addresses.proved('prom', String(group));
  expect(['a', 'c', '47', '48', '49', 'b'].map((group) => addresses.has(group))).toEqual([
    false,
    false,
    false,
    true,
    true,
    true,
  ]);
});

test('a removed user is forgotten; an address that another one uses stays', () => {
  const addresses = createProvedAddresses();
  addresses.proved('prom', 'shared');
  addresses.proved('grafana', 'shared');
  addresses.proved('prom', 'own');
  addresses.keep(new Map([['grafana', []]]));
  expect([addresses.has('shared'), addresses.has('own')]).toEqual([true, false]);
  addresses.keep(new Map());
  expect(addresses.has('shared')).toBe(false);
});
