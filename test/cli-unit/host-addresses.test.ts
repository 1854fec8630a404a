import { expect, it } from 'vitest';
import { hostAddresses, unnamedAddresses } from '../../src/cli/host-addresses.ts';
import { interfaceInfo } from './interface-info.ts';

it('lists addresses that others can use, IPv4 first', () => {
  const addresses = hostAddresses({
    lo: [interfaceInfo('127.0.0.1', true), interfaceInfo('::1', true)],
    eth0: [interfaceInfo('2001:DB8:0::7'), interfaceInfo('192.0.2.7'), interfaceInfo('fe80::1')],
    eth1: [interfaceInfo('169.254.3.4'), interfaceInfo('192.0.2.7'), interfaceInfo('10.0.0.1')],
    gone: undefined,
  });
  expect(addresses).toEqual(['192.0.2.7', '10.0.0.1', '2001:db8::7']);
});

it('a host with thousands of addresses gets a certificate of bounded size', () => {
  const many = Array.from({ length: 5000 }, (_, index) =>
    interfaceInfo(`10.0.${String(index >> 8)}.${String(index & 255)}`),
  );
  expect(hostAddresses({ eth0: many })).toHaveLength(64);
});

it('finds addresses that a certificate does not name; IPv6 counts by its network', () => {
  const names = ['localhost', '192.0.2.7', '2001:DB8:1:2:0:0:0:1'];
  expect(unnamedAddresses(names, ['192.0.2.7', '2001:db8:1:2:ffff::9'])).toEqual([]);
  expect(unnamedAddresses(names, ['192.0.2.8', '2001:db8:1:3::1'])).toEqual(['192.0.2.8', '2001:db8:1:3::1']);
});
