import { BlockList, isIP } from 'node:net';
import fc from '../support/property.ts';
import { expect, it } from 'vitest';
import {
  addressGroup,
  createAddressSet,
  formatCidr,
  normalizeAddress,
  parseCidr,
  type Cidr,
} from '../../src/formats/address-set.ts';
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from '../../src/formats/address.ts';

const group = fc.oneof(fc.constant(0), fc.constant(0xffff), fc.nat(0xffff));
const groups = fc.array(group, { minLength: 8, maxLength: 8 });
const ipv4 = fc.oneof(fc.ipV4(), fc.integer({ min: 0x0a000000, max: 0x0a0000ff }).map(formatIpv4));
const mapped = ipv4.map((address) => `::ffff:${address}`);
const ipv6 = fc.oneof(
  fc.ipV6(),
  groups.map(formatIpv6),
  mapped,
  fc.nat(0xff).map((n) => `2001:db8::${n.toString(16)}`),
);
const address = fc.oneof(ipv4, ipv6);
const anything = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(...'0123456789abcdf.:/%') }),
  address,
);

/** A network without host bits around a random address. */
const network = fc.tuple(address, fc.nat(128)).map(([text, random]): Cidr => {
  const version = text.includes(':') ? 6 : 4;
  const width = version === 4 ? 32 : 128;
  const prefix = random % (width + 1);
  const value =
    version === 4
      ? BigInt(parseIpv4(text))
      : (parseIpv6(text) ?? []).reduce((bits, part) => (bits << 16n) | BigInt(part), 0n);
  const host = BigInt(width - prefix);
  return { version, bits: (value >> host) << host, prefix };
});

it('no text makes a reader of addresses throw', () => {
  fc.assert(
    fc.property(anything, (text) => {
      normalizeAddress(text);
      addressGroup(text);
      parseCidr(text);
      createAddressSet([]).has(text);
    }),
  );
});

it('what net.isIP takes is an address, and nothing else is', () => {
  fc.assert(
    fc.property(anything, (text) => {
      expect(normalizeAddress(text) !== null, text).toBe(isIP(text) !== 0);
      expect(parseIpv4(text) !== -1, text).toBe(isIP(text) === 4);
    }),
  );
});

it('the normal form is an address in normal form, with the same bits', () => {
  fc.assert(
    fc.property(address, (text) => {
      const normal = normalizeAddress(text) ?? '';
      expect(isIP(normal)).not.toBe(0);
      expect(normalizeAddress(normal)).toBe(normal);
      // URL has an independent printer of RFC 5952.
      if (isIP(normal) === 6) expect(new URL(`http://[${text}]/`).hostname).toBe(`[${normal}]`);
    }),
  );
});

it('groups and numbers survive being printed', () => {
  fc.assert(
    fc.property(groups, fc.integer({ min: 0, max: 0xffffffff }), (parts, value) => {
      expect(parseIpv6(formatIpv6(parts))).toEqual(parts);
      expect(parseIpv4(formatIpv4(value))).toBe(value);
    }),
  );
});

it('a network survives being printed, but an IPv4-mapped one, which becomes IPv4', () => {
  fc.assert(
    fc.property(network, (cidr) => {
      const again = parseCidr(formatCidr(cidr));
      const isMapped = cidr.version === 6 && cidr.prefix >= 96 && cidr.bits >> 32n === 0xffffn;
      const expected = isMapped ? { version: 4, bits: cidr.bits & 0xffffffffn, prefix: cidr.prefix - 96 } : cidr;
      expect(again).toEqual({ ok: true, value: expected });
    }),
  );
});

it("agrees with node's BlockList, whose families are kept apart", () => {
  fc.assert(
    fc.property(
      fc.array(network, { maxLength: 20 }),
      fc.array(address, { minLength: 1, maxLength: 20 }),
      (networks, probes) => {
        const cidrs = networks.map((cidr) => {
          const read = parseCidr(formatCidr(cidr));
          if (!read.ok) throw new Error(read.message);
          return read.value;
        });
        const set = createAddressSet(cidrs);
        const lists = { 4: new BlockList(), 6: new BlockList() };
        for (const cidr of cidrs) {
          const [text = '', prefix] = formatCidr(cidr).split('/');
          lists[cidr.version].addSubnet(text, Number(prefix), cidr.version === 4 ? 'ipv4' : 'ipv6');
        }
        const inside = cidrs.map((cidr) => formatCidr(cidr).split('/')[0] ?? '');
        for (const probe of [...probes, ...inside]) {
          const normal = normalizeAddress(probe) ?? '';
          const version = isIP(normal) === 4 ? 4 : 6;
          expect(set.has(probe), probe).toBe(lists[version].check(normal, version === 4 ? 'ipv4' : 'ipv6'));
        }
      },
    ),
  );
});
