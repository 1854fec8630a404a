/** Which series a line of an exposition page belongs to, in both text formats; what is ambiguous is not read. */
import { describe, expect, it } from 'vitest';
import { parseExpositionLine } from '../../../src/request/enforce/exposition-line.ts';

const sample = (line: string) => {
  const read = parseExpositionLine(line);
  return read.kind === 'sample' ? { name: read.name, ...Object.fromEntries(read.labels) } : read.kind;
};

describe('parseExpositionLine', () => {
  it.each([
    ['up 1', { name: 'up' }],
    ['up{} 1', { name: 'up' }],
    ['up{a="b"} 1 1700000000000', { name: 'up', a: 'b' }],
    ['up\t{ a = "b" , c="d", } +Inf', { name: 'up', a: 'b', c: 'd' }],
    ['up{a=""} NaN', { name: 'up', a: '' }],
    ['up{a="}\\" b=\\"c,",d="\\\\"} 1', { name: 'up', a: '}" b="c,', d: '\\' }],
    ['up{a="x\\ny"} 1', { name: 'up', a: 'x\ny' }],
    ['up{a="é{}=,#"} 1', { name: 'up', a: 'é{}=,#' }],
    ['job:rate:sum 0.5', { name: 'job:rate:sum' }],
    ['{"http.requests",a="b"} 1', { name: 'http.requests', a: 'b' }],
    ['{"http.requests"} 1', { name: 'http.requests' }],
    ['up{"label.one"="b"} 1', { name: 'up', 'label.one': 'b' }],
    ['foo_bucket{le="1.0"} 8 # {trace_id="abc"} 0.67 1.1', { name: 'foo_bucket', le: '1.0' }],
    ['up{a="b"} 1 ', { name: 'up', a: 'b' }],
    ['up{a="C:\\dir"} 1', { name: 'up', a: 'C:\\dir' }],
    ['up{a="\\q\\"\\\\n"} 1', { name: 'up', a: '\\q"\\n' }],
    ['up{a="unfinished"} 1', { name: 'up', a: 'unfinished' }],
    ['up{a="x\ny"} 1', { name: 'up', a: 'x\ny' }],
    ['up{a="x\0y\r"} 1', { name: 'up', a: 'x\0y\r' }],
    ['up{a="b"}1', { name: 'up', a: 'b' }],
    ['up-1.e5', { name: 'up' }],
    ['up{a="b"c="d" e="f"} .5', { name: 'up', a: 'b', c: 'd', e: 'f' }],
    ['  up{a="b"} 1', { name: '  up', a: 'b' }],
    [' {a="b","http.requests"} 1', { name: 'http.requests', a: 'b' }],
  ])('reads %j', (line, expected) => {
    expect(sample(line)).toEqual(expected);
  });

  it.each([
    'up',
    'up{a="b"}',
    'up{a="b"}1{',
    '{foo,a="b"} 1',
    'up{a="b"} 0x1p3',
    'up{a="b"} 1_0',
    'up{a="x\\\ny"} 1',
    'up{a="b"\0} 1',
    'up{a="b" 1',
    'up{a=b} 1',
    "up{a='b'} 1",
    'up{,a="b"} 1',
    'up{a="b",,c="d"} 1',
    'up{a="b",a="c"} 1',
    'up{a="b","a"="c"} 1',
    'up{__name__="down"} 1',
    'up{"down"} 1',
    'up{a="b","down"} 1',
    '{a="b"} 1',
    '{"up","down"} 1',
    '{"a"="b"} 1',
    '{""} 1',
    'up{a="b",""} 1',
    'up{a="b"}{c="d"} 1',
    'up{a="b"} # 1',
    'up{1a="b"} 1',
    '1up 1',
    'up-time 1',
    'up{a="b"} 1\r',
    'up{a="b"} 1\u0000',
    '\ufeffup 1',
    'up{é="b"} 1',
  ])('does not read %j', (line) => {
    expect(parseExpositionLine(line).kind).toBe('unreadable');
  });

  it.each(['up{a="b} 1', 'up{a="b\\"} 1', 'up{a="', '{"up', 'up{"a', '# HELP "up x'])(
    'sees that %j is not over',
    (line) => {
      expect(sample(line)).toBe('unfinished');
    },
  );

  it('says what it could read of a line that it cannot read', () => {
    const read = parseExpositionLine('up{tenant="b",path="C:\\",zone="c"} 1');
    expect(read.kind === 'unreadable' && Object.fromEntries(read.known)).toEqual({
      __name__: ['up'],
      tenant: ['b'],
      path: ['C:",zone='],
    });
    const twice = parseExpositionLine('up{tenant="b",tenant="c"} 1');
    expect(twice.kind === 'unreadable' && twice.known.get('tenant')).toEqual(['b', 'c']);
    const nul = parseExpositionLine('up{tenant="b"\0} 1');
    expect(nul.kind === 'unreadable' && nul.known.size).toBe(0);
  });

  it('tells metadata, comments, blank lines and the end of OpenMetrics apart', () => {
    expect(parseExpositionLine('# HELP up Whether it is up.')).toEqual({ kind: 'metadata', name: 'up' });
    expect(parseExpositionLine('#\tTYPE  up gauge')).toEqual({ kind: 'metadata', name: 'up' });
    expect(parseExpositionLine('# UNIT up seconds')).toEqual({ kind: 'metadata', name: 'up' });
    expect(parseExpositionLine('# HELP up')).toEqual({ kind: 'metadata', name: 'up' });
    expect(parseExpositionLine('# TYPE "http.requests" counter')).toEqual({ kind: 'metadata', name: 'http.requests' });
    for (const comment of [
      '',
      ' \t',
      '#',
      '# tenant t2 was here',
      '#HELP up x',
      '# HELP up-x y',
      '# help up y',
      '#EOF',
    ]) {
      expect(parseExpositionLine(comment)).toEqual({ kind: 'blank' });
    }
    expect(parseExpositionLine('# EOF')).toEqual({ kind: 'eof' });
  });

  it('reads a line of 64 KiB of quotes and backslashes at once', () => {
    expect(sample(`up{a="${'\\"'.repeat(32_000)}`)).toBe('unfinished');
    expect(sample(`up{a="${'\\\\'.repeat(32_000)}"} 1`)).toMatchObject({ name: 'up' });
  });
});
