/** A page passes line by line, only what may be seen of it, whatever the chunks that it comes in. */
import { describe, expect, it } from 'vitest';
import { expositionFilter, LONGEST_LINE } from '../../../src/request/enforce/exposition-filter.ts';
import { recordingAnswer } from './recording-answer.ts';

const ours = { allows: (labels: (name: string) => string | undefined) => labels('tenant') === 't1' };
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
    expect(filtered(PAGE, headers).headers).toEqual({ ...TEXT, 'cache-control': 'no-store' });
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
    ['a line that cannot be read', 'up{tenant="t2} 1\n', TEXT],
    ['a page that is not UTF-8', Buffer.from('a{tenant="t\xff"} 1\n', 'latin1'), TEXT],
    ['a page that ends within a line', 'a{tenant="t2"} 1\na{tenant="t1"', TEXT],
    ['an OpenMetrics page without # EOF', 'a{tenant="t2"} 1\n', OPENMETRICS],
    ['lines behind # EOF', '# EOF\na{tenant="t1"} 1\n', OPENMETRICS],
    ['a line that does not end', `a{tenant="t1",b="${'x'.repeat(LONGEST_LINE)}`, TEXT],
    ['a line that is too long', `a{tenant="t1",b="${'x'.repeat(LONGEST_LINE)}"} 1\n`, TEXT],
    ['gzip nobody asked for', PAGE, { ...TEXT, 'content-encoding': 'gzip' }],
    ['protobuf', PAGE, { 'content-type': 'application/vnd.google.protobuf; encoding=delimited' }],
    ['HTML', '<html>t2</html>\n', { 'content-type': 'text/html' }],
    ['no content type', PAGE, {}],
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

  it('asks for OpenMetrics only where the client wants it, and for text in any case', () => {
    expect(expositionFilter(ours, undefined).accept).toBe('text/plain;version=0.0.4');
    expect(expositionFilter(ours, 'application/vnd.google.protobuf;q=0.9,*/*').accept).toBe('text/plain;version=0.0.4');
    expect(expositionFilter(ours, 'application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1').accept).toBe(
      'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5',
    );
  });
});
