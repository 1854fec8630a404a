/** Parameters are read once, strictly, and written anew so that Go reads the same. */
import { describe, expect, it } from 'vitest';
import { decodeParameters, encodeParameters, selectParameters } from '../../../src/request/enforce/parameters.ts';

const pairs = (text: string | Buffer) => {
  const read = decodeParameters(text);
  return read.ok ? read.value.map(({ name, value }) => [name, value]) : read.fault;
};

describe('decodeParameters', () => {
  it.each([
    ['', []],
    ['&&', []],
    [
      'a=1&b=2',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    ['a=b=c', [['a', 'b=c']]],
    ['a', [['a', '']]],
    ['=x', [['', 'x']]],
    ['a+b=c+d', [['a b', 'c d']]],
    ['a=%2B%20', [['a', '+ ']]],
    [
      'match%5B%5D=up&match%5b%5d=down&match[]=x',
      [
        ['match[]', 'up'],
        ['match[]', 'down'],
        ['match[]', 'x'],
      ],
    ],
    ['a=%C3%A9%e2%82%ac', [['a', 'é€']]],
    ['a=%EF%BB%BFx', [['a', '\ufeffx']]],
    ['a=%0A%09', [['a', '\n\t']]],
  ])('reads %j', (text, expected) => {
    expect(pairs(text)).toEqual(expected);
  });

  it('takes the raw bytes of a body together with its escapes', () => {
    expect(pairs(Buffer.from('a=é%C3%A9 b'))).toEqual([['a', 'éé b']]);
    expect(pairs(Buffer.from([0x61, 0x3d, 0xc3, 0x25, 0x41, 0x39]))).toEqual([['a', 'é']]);
  });

  it.each([
    ['query=up;&query=down', 'a raw ";" among the parameters'],
    ['a=1;b=2', 'a raw ";" among the parameters'],
    ['a=%', 'an invalid %-escape'],
    ['a=%4', 'an invalid %-escape'],
    ['a=%4g', 'an invalid %-escape'],
    ['%zz=1', 'an invalid %-escape'],
    ['a=%u0041', 'an invalid %-escape'],
    ['a=%00', 'a NUL among the parameters'],
    ['a=\0', 'a NUL among the parameters'],
    ['a=%C0%AF', 'a parameter that is not UTF-8'],
    ['a=%FF', 'a parameter that is not UTF-8'],
    ['a=%ED%A0%80', 'a parameter that is not UTF-8'],
    ['%80=1', 'a parameter that is not UTF-8'],
  ])('refuses %j', (text, fault) => {
    expect(pairs(text)).toBe(fault);
    expect(pairs(Buffer.from(text, 'latin1'))).toBe(fault);
  });
});

describe('selectParameters', () => {
  const names = { scalars: ['query', 'time'], lists: ['match[]'] };
  const select = (text: string) => {
    const read = decodeParameters(text);
    if (!read.ok) throw new Error(read.fault);
    return selectParameters(read.value, names);
  };

  it('keeps what the endpoint knows, and nothing else', () => {
    const selected = select('query=up&match[]=a&other=1&other=2&match[]=b&match[0]=c&Query=x');
    if (!selected.ok) throw new Error(selected.fault);
    expect(selected.value.scalar('query')).toBe('up');
    expect(selected.value.scalar('time')).toBeUndefined();
    expect(selected.value.scalar('other')).toBeUndefined();
    expect(selected.value.list('match[]')).toEqual(['a', 'b']);
    expect(selected.value.list('other')).toEqual([]);
  });

  it('refuses a scalar that comes twice, even with the same value', () => {
    expect(select('query=up&query=up')).toEqual({ ok: false, fault: 'the parameter "query" more than once' });
    expect(select('query&query=up')).toEqual({ ok: false, fault: 'the parameter "query" more than once' });
  });
});

describe('encodeParameters', () => {
  it('escapes every byte that is not unreserved', () => {
    const written = encodeParameters([
      { name: 'match[]', value: '{a=~"b+ c;d&e#é\n"}' },
      { name: 'x', value: "-._~!'()*" },
    ]);
    expect(written).toBe('match%5B%5D=%7Ba%3D~%22b%2B%20c%3Bd%26e%23%C3%A9%0A%22%7D&x=-._~%21%27%28%29%2A');
    expect(written).toMatch(/^[A-Za-z0-9\-._~%=&]*$/);
  });
});
