/** Rules, alerts and targets pass as far as they may be seen; what is not understood is 502. */
import { describe, expect, it } from 'vitest';
import { jsonFilter, LARGEST_JSON } from '../../../src/request/enforce/json-filter.ts';
import type { JsonNarrowing } from '../../../src/request/enforce/json-filter.ts';
import { narrowJson } from '../../../src/request/enforce/narrow-json.ts';
import type { FilteredData } from '../../../src/request/enforce/visible-data.ts';
import { recordingAnswer } from './recording-answer.ts';

const allows = (labels: (name: string) => string | undefined): boolean => labels('tenant') === 't1';
const narrowingBy = (by: typeof allows): JsonNarrowing => ({
  narrow: (json, done) => {
    done(narrowJson(json, by));
  },
  held: { bytes: 0 },
});
const ours = narrowingBy(allows);
const JSON_HEADERS = { 'content-type': 'application/json', etag: '"x"', 'content-length': '9' };

function filtered(of: FilteredData, body: unknown, status = 200, headers: Record<string, string> = JSON_HEADERS) {
  const answer = recordingAnswer();
  const filter = jsonFilter(of, ours).over(answer);
  filter.open(status, headers);
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  for (let at = 0; at < bytes.length; at += 1000) filter.write(bytes.subarray(at, at + 1000));
  filter.end();
  return answer;
}

const seen = (of: FilteredData, data: unknown): unknown => {
  const answer = filtered(of, { status: 'success', data, warnings: ['t2'] });
  expect(answer).toMatchObject({ status: 200, ending: 'ended' });
  expect(answer.headers).toEqual({
    'content-type': 'application/json',
    'content-length': String(answer.body.length),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  const read = JSON.parse(answer.body) as { status: string; data: unknown };
  expect(Object.keys(read)).toEqual(['status', 'data']);
  return read.data;
};

const alert = (tenant: string, state = 'firing') => ({
  labels: { alertname: 'Down', tenant },
  annotations: { summary: 'down' },
  state,
  activeAt: '2026-01-01T00:00:00Z',
  value: '1e+00',
});

describe('the filter of /api/v1/alerts', () => {
  it('keeps the alerts of the tenant', () => {
    const newer = { ...alert('t1'), somethingNew: 't2' };
    expect(seen('alerts', { alerts: [alert('t2'), newer] })).toEqual({ alerts: [alert('t1')] });
    expect(seen('alerts', { alerts: null })).toEqual({ alerts: [] });
  });
});

describe('the filter of /api/v1/rules', () => {
  const rule = { query: 'up == 0', health: 'ok', evaluationTime: 0.1 };
  const alerting = { ...rule, type: 'alerting', name: 'Down', state: 'firing', duration: 60, annotations: {} };
  const recording = { ...rule, type: 'recording', name: 'job:up:sum' };

  it('keeps the rules whose own labels are visible, and the groups that are left', () => {
    const data = {
      groups: [
        {
          name: 'both',
          file: 'a.yml',
          interval: 60,
          evaluationTime: 1,
          rules: [
            { ...recording, labels: { tenant: 't1' }, lastError: 'many-to-many on {tenant="t2"}' },
            { ...recording, labels: { tenant: 't2' } },
            { ...recording },
            { ...alerting, labels: {}, alerts: [alert('t1')] },
          ],
        },
        { name: 'of t2', file: 'b.yml', interval: 60, rules: [{ ...recording, labels: { tenant: 't2' } }] },
        { name: 'empty', file: 'c.yml', interval: 60, rules: [] },
      ],
      groupNextToken: 'x',
    };
    expect(seen('rules', data)).toEqual({
      groups: [
        {
          name: 'both',
          file: 'a.yml',
          interval: 60,
          evaluationTime: 1,
          rules: [{ ...recording, labels: { tenant: 't1' } }],
        },
      ],
    });
  });

  it('keeps of a visible rule only the visible alerts, and the state that they make', () => {
    const of = (...alerts: unknown[]) => {
      const data = seen('rules', {
        groups: [{ name: 'g', file: 'f', rules: [{ ...alerting, labels: { tenant: 't1' }, alerts }] }],
      }) as { groups: { rules: { state: string; alerts: unknown[] }[] }[] };
      const [found] = data.groups[0]?.rules ?? [];
      return [found?.state, found?.alerts.length];
    };
    expect(of(alert('t2'))).toEqual(['inactive', 0]);
    expect(of(alert('t2'), alert('t1', 'pending'))).toEqual(['pending', 1]);
    expect(of(alert('t2'), alert('t1', 'pending'), alert('t1'))).toEqual(['firing', 2]);
  });

  it('judges a recording rule by the name that it records, an alert by ALERTS', () => {
    const data = {
      groups: [
        {
          name: 'g',
          file: 'f',
          rules: [
            { ...recording, labels: {} },
            { ...alerting, labels: {}, alerts: [] },
          ],
        },
      ],
    };
    const names: unknown[] = [];
    const watching = {
      allows: (labels: (name: string) => string | undefined) => {
        names.push([labels('__name__'), labels('alertname'), labels('toString')]);
        return true;
      },
    };
    const filter = jsonFilter('rules', narrowingBy(watching.allows)).over(recordingAnswer());
    filter.open(200, JSON_HEADERS);
    filter.write(Buffer.from(JSON.stringify({ status: 'success', data })));
    filter.end();
    expect(names).toEqual([
      ['job:up:sum', undefined, undefined],
      ['ALERTS', 'Down', undefined],
    ]);
  });
});

describe('the filter of /api/v1/metadata', () => {
  it('leaves nothing, since nothing says whose it is', () => {
    expect(seen('metadata', { secret_of_t2: [{ type: 'gauge', help: 't2', unit: '' }] })).toEqual({});
  });
});

describe('the filter of /api/v1/targets', () => {
  it('keeps the targets of the tenant, without what discovery knows, and no dropped ones', () => {
    const target = (tenant: string) => ({
      discoveredLabels: { __meta_secret: 't2', __address__: 'a' },
      labels: { tenant, instance: 'a' },
      scrapePool: 'pool',
      scrapeUrl: 'http://a/metrics',
      health: 'up',
      lastError: '',
    });
    const data = {
      activeTargets: [target('t2'), target('t1')],
      droppedTargets: [{ discoveredLabels: { a: 't2' } }],
      droppedTargetCounts: { t2: 1 },
    };
    expect(seen('targets', data)).toEqual({
      activeTargets: [{ ...target('t1'), discoveredLabels: {} }],
      droppedTargets: [],
    });
  });
});

describe('the filter of JSON', () => {
  const success = { status: 'success', data: { alerts: [] } };

  it.each([
    ['text that is no JSON', '{"status":"success","data":{"alerts":[]}', 200],
    ['JSON that is not UTF-8', Buffer.from('"\xff"', 'latin1').toString('binary'), 200],
    ['a body of nothing', '', 200],
    ['an error with status 200', { status: 'error', errorType: 'x', error: 't2' }, 200],
    ['a list', [success], 200],
    ['null', null, 200],
    ['data of another shape', { status: 'success', data: { alerts: 't2' } }, 200],
    ['data that is missing', { status: 'success' }, 200],
    ['an alert that is a text', { status: 'success', data: { alerts: ['t2'] } }, 200],
    ['an alert without labels', { status: 'success', data: { alerts: [{ state: 't2' }] } }, 200],
    ['a label that is no text', { status: 'success', data: { alerts: [{ labels: { tenant: ['t1', 't2'] } }] } }, 200],
    ['status 206', success, 206],
    ['status 304', success, 304],
    ['status 500', { status: 'error', errorType: 'internal', error: 't2' }, 500],
    ['status 401', { status: 'error', errorType: 'unauthorized', error: 't2' }, 401],
    ['an error of another shape', { message: 't2' }, 400],
  ])('is 502 for %s', (_what, body, status) => {
    const answer = filtered('alerts', body, status);
    expect(answer).toMatchObject({ status: null, body: '', ending: 'refused answer_unreadable' });
  });

  it('is 502 for HTML, no type at all, and gzip that nobody asked for', () => {
    for (const headers of [{ 'content-type': 'text/html' }, {}, { ...JSON_HEADERS, 'content-encoding': 'gzip' }]) {
      expect(filtered('alerts', success, 200, headers as Record<string, string>).ending).toBe(
        'refused answer_unreadable',
      );
    }
  });

  it('is 502 for more than 16 MiB', () => {
    const answer = recordingAnswer();
    const filter = jsonFilter('alerts', ours).over(answer);
    filter.open(200, JSON_HEADERS);
    const chunk = Buffer.alloc(1_048_576, 0x20);
    let taken = 0;
    while (filter.write(chunk)) taken += chunk.length;
    expect(taken).toBe(LARGEST_JSON);
    expect(answer.ending).toBe('refused answer_unreadable');
  });

  it("writes Prometheus's own error anew, without what else is in it", () => {
    const error = { status: 'error', errorType: 'bad_data', error: 'e'.repeat(5000), data: 't2', infos: ['t2'] };
    const answer = filtered('alerts', error, 400);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toEqual({ status: 'error', errorType: 'bad_data', error: 'e'.repeat(1024) });
  });
});
