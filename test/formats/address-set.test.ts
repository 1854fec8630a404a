import { describe, expect, it } from 'vitest';
import {
  addressGroup,
  createAddressSet,
  EMPTY_ADDRESS_SET,
  formatCidr,
  normalizeAddress,
  parseCidr,
  type Cidr,
} from '../../src/formats/address-set.ts';
import { expectLinear } from '../support/expect-linear.ts';

function cidr(text: string): Cidr {
  const read = parseCidr(text);
  if (!read.ok) throw new Error(`${text}: ${read.message}`);
  return read.value;
}

function setOf(...texts: string[]) {
  return createAddressSet(texts.map(cidr));
}

describe('normalizeAddress', () => {
  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['::FFFF:0a01:0203', '10.1.2.3'],
    ['0:0:0:0:0:ffff:10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3%eth0', '10.1.2.3'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:0db8:0000:0000:0001:0000:0000:0001', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['1::', '1::'],
    ['fe80::1%eth0', 'fe80::1'],
    ['64:ff9b::10.1.2.3', '64:ff9b::a01:203'],
    ['::10.1.2.3', '::a01:203'],
  ])('reads %s as %s', (text, expected) => {
    expect(normalizeAddress(text)).toBe(expected);
  });

  it.each(['', '010.1.2.3', '10.1', '1.2.3.4.5', '256.1.1.1', '1..2.3', '1.2.3.', '.1.2.3', '10.0.0.0/8', ' 10.1.2.3'])(
    'takes %j for no address',
    (text) => {
      expect(normalizeAddress(text)).toBeNull();
    },
  );

  it.each(['localhost', '0x7f.1.1.1', '2130706433', '[::1]', '::1::', ':::', '12345::', '1.2.3.4%eth0', '10.1.2.3\n'])(
    'takes %j for no address',
    (text) => {
      expect(normalizeAddress(text)).toBeNull();
    },
  );

  it('takes an overlong text for no address at once', () => {
    expect(normalizeAddress(`fe80::1%${'x'.repeat(60_000)}`)).toBeNull();
  });
});

describe('addressGroup', () => {
  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['::1', '::/64'],
    ['nonsense', 'nonsense'],
  ])('puts %s into %s', (address, group) => {
    expect(addressGroup(address)).toBe(group);
  });
});

describe('parseCidr', () => {
  it.each([
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['10.1.2.3', '10.1.2.3/32'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:DB8::/32', '2001:db8::/32'],
    ['::1', '::1/128'],
    ['::/0', '::/0'],
    ['::ffff:10.0.0.0/104', '10.0.0.0/8'],
    ['::ffff:a00:0/104', '10.0.0.0/8'],
    ['::ffff:10.1.2.3', '10.1.2.3/32'],
    ['::ffff:0.0.0.0/96', '0.0.0.0/0'],
    ['64:ff9b::/96', '64:ff9b::/96'],
  ])('reads %s as %s', (text, expected) => {
    expect(formatCidr(cidr(text))).toBe(expected);
  });

  it.each([
    ['10.1.2.3/8', 'did you mean 10.0.0.0/8?'],
    ['2001:db8::1/32', 'did you mean 2001:db8::/32?'],
    ['::ffff:10.1.2.3/104', 'did you mean 10.0.0.0/8?'],
    ['0.0.0.1/0', 'did you mean 0.0.0.0/0?'],
  ])('names the right network for %s with host bits', (text, hint) => {
    expect(parseCidr(text)).toEqual({ ok: false, message: 'the network has host bits set', hint });
  });

  it.each([
    ['10.0.0.0/255.0.0.0', 'did you mean 10.0.0.0/8?'],
    ['10.1.2.3/255.255.255.0', 'did you mean 10.1.2.0/24?'],
  ])('knows the netmask in %s', (text, hint) => {
    expect(parseCidr(text)).toMatchObject({ ok: false, hint });
  });

  it.each(['10.0.0.0/255.0.255.0', '10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/08', '10.0.0.0/8/8', '10.0.0.0/-1'])(
    'refuses %s',
    (text) => {
      expect(parseCidr(text)).toMatchObject({ ok: false });
    },
  );

  it.each(['', '/8', '10/8', '010.0.0.0/8', 'example.com', 'fe80::%eth0/64', '::ffff:10.0.0.0/ 104', '1.2.3.4/٣'])(
    'refuses %j',
    (text) => {
      expect(parseCidr(text)).toMatchObject({ ok: false });
    },
  );
});

describe('an address set', () => {
  it('holds the addresses of its networks, whatever their spelling', () => {
    const set = setOf('10.0.0.0/8', '203.0.113.7', '2001:db8::/32');
    expect(set.size).toBe(3);
    for (const inside of [
      '10.255.0.1',
      '203.0.113.7',
      '2001:db8:ffff::1',
      '2001:DB8::1%eth0',
      '::ffff:10.1.2.3',
      '::ffff:a01:203',
    ]) {
      expect(set.has(inside), inside).toBe(true);
    }
    for (const outside of ['11.0.0.1', '203.0.113.8', '2001:db9::1', '::ffff:11.0.0.1', '010.1.2.3', '10.1', '', 'x']) {
      expect(set.has(outside), outside).toBe(false);
    }
  });

  it('keeps the two families apart: ::/0 holds no IPv4 address, 0.0.0.0/0 no IPv6 address', () => {
    expect(setOf('::/0').has('10.1.2.3')).toBe(false);
    expect(setOf('::/0').has('::ffff:10.1.2.3')).toBe(false);
    expect(setOf('::/0').has('2001:db8::1')).toBe(true);
    expect(setOf('0.0.0.0/0').has('2001:db8::1')).toBe(false);
    expect(setOf('0.0.0.0/0').has('255.255.255.255')).toBe(true);
  });

  it('takes an IPv4-mapped network for the IPv4 network', () => {
    expect(setOf('::ffff:10.0.0.0/104').has('10.200.1.1')).toBe(true);
  });

  it('does not take a NAT64 address for the IPv4 address inside', () => {
    expect(setOf('10.0.0.0/8').has('64:ff9b::10.1.2.3')).toBe(false);
  });

  it('holds nothing when it is empty', () => {
    expect(EMPTY_ADDRESS_SET.size).toBe(0);
    expect(EMPTY_ADDRESS_SET.has('10.1.2.3')).toBe(false);
    expect(EMPTY_ADDRESS_SET.has('::1')).toBe(false);
  });

  it.each([
    ['IPv4', (n: number) => `10.${String(n >> 8)}.${String(n & 255)}.0/24`, '192.0.2.1'],
    // The low 64 bits of all of them are equal: a hash over those alone would put them into one bucket.
    ['IPv6', (n: number) => `2001:db8:${n.toString(16)}::/48`, '2001:db9::1'],
  ])('looks up in 10 000 %s networks about as fast as in ten', (_family, network, miss) => {
    // Each size of set is asked as often as it has networks, so that a search through all of them is quadratic.
    expectLinear({ small: 100, large: 10_000 }, (size) => {
      const set = setOf(...Array.from({ length: size }, (_, n) => network(n)));
      return () => {
        for (let n = 0; n < size; n++) set.has(miss);
      };
    });
  });
});
