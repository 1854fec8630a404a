/** A page passes line by line, only what may be seen of it, whatever the chunks that it comes in. */
import { describe, expect, it, vi } from 'vitest';
import { expositionFilter } from '../../../src/request/enforce/exposition-filter.ts';
import { LONGEST_LINE } from '../../../src/request/enforce/exposition-reader.ts';
import { recordingAnswer } from './recording-answer.ts';

const ours = {
  allows: (labels: (name: string) => string | undefined) => labels('tenant') === 't1',
  excludes: (known: (name: string) => readonly string[] | undefined) => known('tenant')?.includes('t1') === false,
};
const TEXT = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' };
const OPENMETRICS = { 'content-type': 'application/openmetrics-text; version=1.0.0; charset=utf-8' };

function filtered(page: string | Buffer, headers: Record<string, string> = TEXT, chunk = Infinity, status = 200) {
  const answer = recordingAnswer();
  const filter = expositionFilter(ours, undefined).over(answer);
  filter.open(status, headers);
  const bytes = Buffer.from(page);
  for (let at = 0; at < bytes.length; at += chunk) filter.write(bytes.subarray(at, at + Math.min(chunk, bytes.length)));
  filter.end();
  return answer;
}

const PAGE = `# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{tenant="t1",code="200"} 7
requests_total{tenant="t2",code="200"} 8
# HELP secret_total Of t2.
# TYPE secret_total counter
secret_total{tenant="t2"} 9
# a comment about t2
# TYPE latency_seconds histogram
latency_seconds_bucket{tenant="t2",le="+Inf"} 3
latency_seconds_bucket{tenant="t1",le="+Inf"} 4
latency_seconds_count{tenant="t1"} 4

up 1
`;
const VISIBLE = `# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{tenant="t1",code="200"} 7
# TYPE latency_seconds histogram
latency_seconds_bucket{tenant="t1",le="+Inf"} 4
latency_seconds_count{tenant="t1"} 4
`;

describe('the filter of an exposition page', () => {
  it.each([1, 2, 3, 7, 64, Infinity])('lets the same through in chunks of %s bytes', (chunk) => {
    const answer = filtered(PAGE, TEXT, chunk);
    expect(answer.body).toBe(VISIBLE);
    expect(answer).toMatchObject({ status: 200, ending: 'ended' });
  });

  it('passes the content type on, and no length, validator or other header', () => {
    const headers = { ...TEXT, 'content-length': '512', etag: '"x"', 'last-modified': 'x', 'x-tenants': 't1,t2' };
    expect(filtered(PAGE, headers).headers).toEqual({
      ...TEXT,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
  });

  it('keeps an exemplar with its sample, and # EOF', () => {
    const page = `# TYPE a counter
# UNIT a seconds
a_total{tenant="t1"} 1 # {trace_id="x"} 1
a_total{tenant="t2"} 1 # {trace_id="y"} 1
# EOF
`;
    expect(filtered(page, OPENMETRICS).body).toBe(`# TYPE a counter
# UNIT a seconds
a_total{tenant="t1"} 1 # {trace_id="x"} 1
# EOF
`);
  });

  it('answers a page without anything to see with nothing, and OpenMetrics with # EOF', () => {
    expect(filtered('up 1\n')).toMatchObject({ status: 200, body: '', ending: 'ended' });
    expect(filtered('', TEXT)).toMatchObject({ status: 200, body: '', ending: 'ended' });
    expect(filtered('up 1\n# EOF\n', OPENMETRICS)).toMatchObject({ status: 200, body: '# EOF\n', ending: 'ended' });
  });

  it('does not give one metric the words that stand before another', () => {
    const page = '# HELP secret of t2\n# TYPE secret gauge\nsecretive{tenant="t1"} 1\nsecret{tenant="t2"} 1\n';
    expect(filtered(page).body).toBe('secretive{tenant="t1"} 1\n');
  });

  it('says what is said of a metric once', () => {
    const page =
      '# TYPE a gauge\n# TYPE a gauge\n# TYPE a gauge\n# TYPE a gauge\n# HELP a x\na{tenant="t1"} 1\na{tenant="t1",b="c"} 1\n';
    expect(filtered(page).body).toBe(
      '# TYPE a gauge\n# TYPE a gauge\n# TYPE a gauge\na{tenant="t1"} 1\na{tenant="t1",b="c"} 1\n',
    );
  });

  it.each([
    ['a page that ends within a line', 'up{tenant="t2"} 1\na{tenant="t1"} 1'],
    ['a line of another tenant that ends within its quotes', 'a{tenant="t2",path="C:\\"} 1\na{tenant="t1"} 1\n'],
    ['two of them', 'a{tenant="t2",b="\nb{tenant="t2",b="\na{tenant="t1"} 1\n'],
    ['a line of another tenant without a number', 'a{tenant="t2"} one\na{tenant="t1"} 1\n'],
    ['a line of another tenant with a label that comes twice', 'a{tenant="t2",tenant="t3"} 1\na{tenant="t1"} 1\n'],
    [
      'a line of another tenant that is no UTF-8',
      Buffer.from('a{tenant="t2",b="\xff"} 1\na{tenant="t1"} 1\n', 'latin1'),
    ],
    ['metadata and comments that are no UTF-8', Buffer.from('# HELP a \xff\n# \xff\na{tenant="t1"} 1\n', 'latin1')],
    [
      'a value of another tenant that goes on over lines',
      'a{tenant="t2",b="\na{tenant=\\"t1\\"} 2\n"} 1\na{tenant="t1"} 1\n',
    ],
  ])('passes on what may be seen beside %s', (_what, page) => {
    for (const chunk of [1, 5, Infinity]) {
      expect(filtered(page, TEXT, chunk)).toMatchObject({ status: 200, body: 'a{tenant="t1"} 1\n', ending: 'ended' });
    }
  });

  it('passes on a value that goes on over lines, and none of the lines within it', () => {
    const mine = 'a{tenant="t1",b="x\ny\n\nz"} 1\n';
    const page = `b{tenant="t2",b="\na{tenant='t1'} 2\n",c="\n"} 1\n${mine}`;
    for (const chunk of [1, 5, Infinity]) expect(filtered(page, TEXT, chunk).body).toBe(mine);
  });

  it('takes # EOF without a line feed', () => {
    expect(filtered('a{tenant="t1"} 1\n# EOF', OPENMETRICS)).toMatchObject({
      body: 'a{tenant="t1"} 1\n# EOF\n',
      ending: 'ended',
    });
  });

  it.each([
    ['no content type', {}],
    ['HTML', { 'content-type': 'text/html; charset=utf-8' }],
    ['JSON', { 'content-type': 'application/json' }],
    ['what is no content type', { 'content-type': 'application/openmetrics-text; version' }],
    ['a content type with a parameter that comes twice', { 'content-type': 'text/plain; a=b; a=c' }],
  ])('reads %s as text, as Prometheus 2 does, and says so', (_what, headers) => {
    const answer = filtered('up 1\na{tenant="t1"} 1\n', headers);
    expect(answer).toMatchObject({ status: 200, body: 'a{tenant="t1"} 1\n' });
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  });

  it.each([
    ['a line that cannot be read', 'up 1\nup{tenant="t2} 1\n', TEXT],
    ['a line whose tenant cannot be read', 'up 1\nup{path="C:\\",tenant="t2"} 1\n', TEXT],
    ["a line that is another tenant's only perhaps", 'up 1\nup{tenant="t2",tenant="t1"} 1\n', TEXT],
    ['a page that was cut', 'a{tenant="t1"} 1\na{tenant="t2",b="', TEXT],
    ['a line with NUL', 'up 1\nup{tenant="t2"\0} 1\n', TEXT],
    ['NUL behind a backslash', 'up 1\nup{tenant="t2",a="\\\0"} 1\n', TEXT],
    ['a page that is no UTF-8', Buffer.from('up 1\na{tenant="t1",b="t2\xff"} 1\n', 'latin1'), TEXT],
    ['lines behind # EOF', '# EOF\na{tenant="t1"} 1\n', OPENMETRICS],
    ['a line that does not end', `up 1\na{tenant="t1",b="${'x'.repeat(LONGEST_LINE)}`, TEXT],
    ['a line that is too long', `up 1\na{tenant="t1",b="${'x'.repeat(LONGEST_LINE)}"} 1\n`, TEXT],
    ['a value over too many lines', `up 1\na{tenant="t2",b="${'\n'.repeat(LONGEST_LINE)}"} 1\n`, TEXT],
    ['too many values over lines', `up 1\na{tenant="t2",b="${'\n",b="'.repeat(20)}"} 1\n`, TEXT],
    ['HTML', '<p>\n<html>t2</html>\n', { 'content-type': 'text/html' }],
  ])('is 502 for %s, and the log has the line', (_what, page, headers) => {
    const answer = filtered(page, headers);
    expect(answer.ending).toMatch(/^(?:refused|cut) answer_unreadable$/);
    expect(answer.detail).toMatch(/^line [12] cannot be read: /);
    expect(`${answer.body}${answer.detail ?? ''}`).not.toContain('t2');
  });

  it.each([
    ['an OpenMetrics page without # EOF', 'a{tenant="t2"} 1\n', OPENMETRICS],
    ['gzip nobody asked for', PAGE, { ...TEXT, 'content-encoding': 'gzip' }],
    ['protobuf', PAGE, { 'content-type': 'application/vnd.google.protobuf; encoding=delimited' }],
  ])('is 502 for %s', (_what, page, headers) => {
    const answer = filtered(page, headers);
    expect(answer.ending).toMatch(/^(?:refused|cut) answer_unreadable$/);
    expect(answer.body).not.toContain('t2');
  });

  it('is 502 before the first byte where nothing was passed on, and a cut behind it', () => {
    expect(filtered('a{tenant="t2"} 1\njunk{\n').ending).toBe('refused answer_unreadable');
    const cut = filtered('a{tenant="t1"} 1\njunk{\n', TEXT, 20);
    expect(cut).toMatchObject({ status: 200, body: 'a{tenant="t1"} 1\n', ending: 'cut answer_unreadable' });
  });

  it.each([
    [404, 404],
    [400, 400],
    [429, 429],
  ])('tells of an upstream that answers %s without its words', (status, told) => {
    const answer = filtered('no such tenant, try t2\n', { ...TEXT, 'www-authenticate': 'Basic' }, Infinity, status);
    expect(answer).toMatchObject({ status: told, body: `the upstream answered ${String(status)}\n` });
    expect(answer.headers).not.toHaveProperty('www-authenticate');
  });

  it.each([204, 206, 301, 304, 401, 403, 500, 503])('is 502 for an upstream that answers %s', (status) => {
    expect(filtered(PAGE, TEXT, Infinity, status)).toMatchObject({ status: null, ending: 'refused answer_unreadable' });
  });

  it('puts a line together in time that grows with its length, however small the chunks', () => {
    const answer = recordingAnswer();
    const filter = expositionFilter(ours, undefined).over(answer);
    filter.open(200, TEXT);
    const byte = Buffer.from('x');
    const joins = vi.spyOn(Buffer, 'concat');
    const allocations = vi.spyOn(Buffer, 'allocUnsafe');
    for (let at = 0; at < 60_000; at++) filter.write(byte);
    const counts = [joins.mock.calls.length, allocations.mock.calls.length] as const;
    vi.restoreAllMocks();
    expect(counts[0]).toBe(0);
    // Each is twice as large as the one before.
    expect(counts[1]).toBeLessThan(20);
  });
});
