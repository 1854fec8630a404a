import { describe, expect, it } from 'vitest';
import { EMPTY_ADDRESS_SET, createAddressSet, parseCidr } from '../../../src/formats/address-set.ts';
import { clientAddress } from '../../../src/request/accept/forwarded-for.ts';

const cidr = parseCidr('10.0.0.0/8');
if (!cidr.ok) throw new Error(cidr.message);
const trusted = createAddressSet([cidr.value]);

describe('clientAddress', () => {
  it('believes nobody unless the peer is a trusted proxy', () => {
    expect(clientAddress('192.0.2.1', '203.0.113.7', trusted)).toMatchObject({
      address: '192.0.2.1',
      forwarded: false,
    });
    expect(clientAddress('10.0.0.1', '203.0.113.7', EMPTY_ADDRESS_SET)).toMatchObject({ address: '10.0.0.1' });
  });

  it('takes the right-most hop that is not a trusted proxy, whatever the client wrote before it', () => {
    expect(clientAddress('10.0.0.1', '203.0.113.7', trusted)).toMatchObject({
      address: '203.0.113.7',
      forwarded: true,
    });
    expect(clientAddress('10.0.0.1', '127.0.0.1, 203.0.113.7, 10.9.9.9', trusted)).toMatchObject({
      address: '203.0.113.7',
    });
    expect(clientAddress('10.0.0.1', '::ffff:203.0.113.7', trusted)).toMatchObject({ address: '203.0.113.7' });
  });

  it('takes the left-most hop when all are trusted', () => {
    expect(clientAddress('10.0.0.1', '10.0.0.3, 10.0.0.2', trusted)).toMatchObject({ address: '10.0.0.3' });
  });

  it.each([
    'unknown',
    '',
    '203.0.113.7,, 10.0.0.2',
    '010.1.2.3, 10.0.0.2',
    '_hidden',
    '203.0.113.7:',
    '203.0.113.7:65536',
    '203.0.113.7:443:1',
    '010.1.2.3:443',
    '[203.0.113.7]',
    '[203.0.113.7]:443',
    '[2001:db8::7',
    '2001:db8::7]',
    '[2001:db8::7]443',
    '[2001:db8::7]:https',
    '[]',
  ])('calls %j a fault', (header) => {
    expect(clientAddress('10.0.0.1', header, trusted)).toMatchObject({ kind: 'fault' });
  });

  it.each([
    ['203.0.113.7:443', '203.0.113.7'],
    ['203.0.113.7:0', '203.0.113.7'],
    ['[2001:DB8::7]', '2001:db8::7'],
    ['[2001:db8::7]:65535', '2001:db8::7'],
    ['[::ffff:203.0.113.7]:443', '203.0.113.7'],
    ['2001:db8::7:443', '2001:db8::7:443'],
    ['203.0.113.7:50000, 10.0.0.2:443', '203.0.113.7'],
  ])('reads %j, with the port that some proxies add', (header, address) => {
    expect(clientAddress('10.0.0.1', header, trusted)).toEqual({ kind: 'address', address, forwarded: true });
  });

  it('does not look to the left of the hop that it believes', () => {
    expect(clientAddress('10.0.0.1', 'garbage, 203.0.113.7', trusted)).toMatchObject({ address: '203.0.113.7' });
  });

  it('calls an endless chain a fault', () => {
    expect(clientAddress('10.0.0.1', Array(100).fill('10.0.0.2').join(','), trusted)).toMatchObject({ kind: 'fault' });
  });
});
