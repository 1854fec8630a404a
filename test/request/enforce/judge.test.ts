/** What a restricted identity asks in the place of what it wrote, endpoint by endpoint. */
import { describe, expect, it } from 'vitest';
import { ENDPOINTS, SELF_ENDPOINTS } from '../../../src/request/endpoints.ts';
import { ENFORCED_ENDPOINTS } from '../../../src/request/enforce/enforced-endpoints.ts';
import { judgeKind } from '../../../src/request/authorize/kind-table.ts';
import { upstreamOf } from '../../support/config-fixture.ts';
import { asked, canonical, judge, T1 } from './restriction-fixture.ts';

const OURS = { labels: [T1] };
const self = { upstream: upstreamOf({ kind: 'exporter', address: { kind: 'self' } }) };
const exporter = { upstream: upstreamOf({ kind: 'exporter' }) };
const encoded = encodeURIComponent;

describe('the table of what can be narrowed', () => {
  it('has only what exists for the kind', () => {
    for (const [kind, endpoints] of Object.entries(ENFORCED_ENDPOINTS)) {
      const upstream = kind === 'self' ? self.upstream : upstreamOf({ kind: kind as keyof typeof ENDPOINTS });
      for (const { path, methods } of endpoints) {
        for (const method of methods) {
          expect(judgeKind(upstream, method, path.replace('*', 'job')).kind, `${method} ${path}`).toBe('allowed');
        }
      }
    }
  });

  it('refuses everything else that the kinds have, whatever the method', () => {
    const narrowed = new Set(
      ENFORCED_ENDPOINTS.prometheus.flatMap(({ path, methods }) => methods.map((method) => `${method} ${path}`)),
    );
    for (const { path, methods } of ENDPOINTS.prometheus) {
      for (const method of [...methods, 'PUT', 'DELETE', 'OPTIONS', 'HEAD']) {
        if (narrowed.has(`${method} ${path}`)) continue;
        const request = `${method} ${path.replace('**', 'a/b').replace('*', 'a')}`;
        expect(asked(request, OURS), request).toBe('restricted_path');
      }
    }
    for (const { path } of ENDPOINTS.exporter) {
      if (path !== '/metrics') expect(asked(`GET ${path}`, OURS, exporter)).toBe('restricted_path');
    }
    expect(SELF_ENDPOINTS.map(({ path }) => path)).toEqual(['/federate']);
    expect(asked('GET /federate', OURS, exporter)).toBe('restricted_path');
    expect(asked('GET /metrics', OURS, { upstream: upstreamOf({ kind: 'any' }) })).toBe('restricted_path');
  });
});

describe('selectors', () => {
  const both = (text: string) => ['match[]', canonical(text)];

  it('of /federate are each narrowed, in order', () => {
    expect(asked(`GET /federate?match[]=up&match%5B%5D=${encoded('{job="x"}')}`, OURS)).toEqual([
      both('up{tenant="t1"}'),
      both('{job="x",tenant="t1"}'),
    ]);
  });

  it('that name another tenant keep their matcher beside ours', () => {
    expect(asked(`GET /federate?match[]=${encoded('up{tenant="t2"}')}`, OURS)).toEqual([
      both('up{tenant="t2",tenant="t1"}'),
    ]);
  });

  it('are multiplied with those of the identity', () => {
    const written = { match: ['a', 'b'], labels: [T1] };
    const result = asked('GET /federate?match[]=x&match[]=y', written);
    expect(result).toHaveLength(4);
    for (const name of ['a', 'b']) {
      for (const own of ['x', 'y']) {
        expect(
          (result as string[][]).filter(
            ([, text]) =>
              text?.includes(`"${name}"`) === true || text?.startsWith(name) === true || text?.includes(own),
          ).length,
        ).toBeGreaterThan(0);
      }
    }
  });

  it('are refused beyond 100, those of the identity multiplied in', () => {
    const fifty = `GET /federate?${Array.from({ length: 50 }, (_, index) => `match[]=m${String(index)}`).join('&')}`;
    expect(asked(fifty, { match: ['{a="1"}', '{a="2"}'] })).toHaveLength(100);
    expect(asked(`${fifty}&match[]=x`, { match: ['{a="1"}', '{a="2"}'] })).toBe('bad_query');
    expect(asked(`${fifty}&match[]=x`, OURS)).toHaveLength(51);
  });

  it('that nobody gave are nothing on /federate, a refusal on series, what may be seen on labels and values', () => {
    expect(asked('GET /federate', OURS)).toEqual([]);
    expect(asked('GET /federate?match[0]=up&match=up&Match[]=up', OURS)).toEqual([]);
    expect(asked('GET /api/v1/series', OURS)).toBe('bad_parameters');
    expect(asked('GET /api/v1/labels', OURS)).toEqual([both('{tenant="t1"}')]);
    expect(asked('GET /api/v1/label/job/values?start=1', { match: ['up', 'down'] })).toEqual([
      both('up'),
      both('down'),
      ['start', '1'],
    ]);
  });

  it.each(['{}', '{job=~".*"}', '{job=""}'])(
    'that are as wide as can be are narrowed on /federate only: %j',
    (text) => {
      const [first] = asked(`GET /federate?match[]=${encoded(text)}`, OURS);
      expect(first?.[1]).toMatch(/^\{(?:job=.+,)?tenant="t1"\}$/);
      for (const path of ['/api/v1/series', '/api/v1/labels', '/api/v1/label/job/values']) {
        expect(asked(`GET ${path}?match[]=${encoded(text)}`, OURS)).toBe('bad_query');
      }
    },
  );

  it.each(['', 'up{', 'sum(up)', 'up or down', 'up[5m]', '{job=~"("}'])('that are none are refused: %j', (text) => {
    expect(asked(`GET /federate?match[]=${encoded(text)}`, OURS)).toBe('bad_query');
  });
});

describe('what an editor asks', () => {
  it('passes where nothing in the answer is of any series, with the parameters that are known', () => {
    expect(asked('GET /api/v1/status/buildinfo?x=y', OURS)).toEqual([]);
    expect(asked('GET /api/v1/format_query?query=up%7Ba=%22b%22%7D&x=y', OURS)).toEqual([['query', 'up{a="b"}']]);
    expect(asked('GET /api/v1/metadata?metric=up&limit=5', OURS)).toEqual([
      ['metric', 'up'],
      ['limit', '5'],
    ]);
  });

  it('of rules is narrowed by match[], and refused what cannot be', () => {
    const match = ['match[]', '{a="b"}'];
    expect(asked(`GET /api/v1/rules?type=alert&match[]=${encoded('{a="b"}')}`, OURS)).toEqual([
      ['type', 'alert'],
      match,
    ]);
    for (const name of ['exclude_alerts', 'group_limit', 'group_next_token']) {
      const verdict = judge(`GET /api/v1/rules?${name}=1`, OURS);
      expect(verdict).toMatchObject({
        reason: 'bad_parameters',
        details: { told: expect.stringContaining(name) as string },
      });
    }
  });
});

describe('queries', () => {
  it('get the conjunction of labels and match', () => {
    expect(asked('GET /api/v1/query?query=up&time=5&other=x', { match: ['{job="node"}'], labels: [T1] })).toEqual([
      ['query', expect.stringMatching(/^up\{.*job="node".*\}$/)],
      ['time', '5'],
    ]);
    expect(asked('GET /api/v1/query?query=up', OURS)).toEqual([['query', 'up{tenant="t1"}']]);
  });

  it('of an identity with several selectors are refused, whatever they are', () => {
    for (const path of ['query', 'query_range', 'query_exemplars']) {
      for (const method of ['GET', 'POST']) {
        expect(asked(`${method} /api/v1/${path}?query=up`, { match: ['a', 'b'] })).toBe('restricted_query');
      }
    }
  });

  it('that do not parse, or are missing, are refused with what is wrong', () => {
    const verdict = judge('GET /api/v1/query?query=up%7B', OURS);
    expect(verdict).toMatchObject({ kind: 'refused', reason: 'bad_query' });
    expect(verdict.kind === 'refused' && verdict.details.told).toMatch(/ at character \d+$/);
    expect(asked('GET /api/v1/query', OURS)).toBe('bad_parameters');
    expect(asked('GET /api/v1/query?time=1', OURS)).toBe('bad_parameters');
  });

  it('of a POST go as a form, with what stood in its query', () => {
    const verdict = judge('POST /api/v1/query_range?start=1 query=up&end=2&step=15', OURS);
    expect(verdict).toMatchObject({
      kind: 'ask',
      question: { method: 'POST', query: '', filter: null, enforced: expect.stringContaining('t1') as string },
    });
    expect(asked('POST /api/v1/query_range?start=1 query=up&end=2&step=15', OURS)).toEqual([
      ['query', 'up{tenant="t1"}'],
      ['start', '1'],
      ['end', '2'],
      ['step', '15'],
    ]);
  });

  it.each([
    'GET /api/v1/query?query=up&query=up',
    'POST /api/v1/query?query=up query=up',
    'POST /api/v1/query query=up&query=down',
    'POST /api/v1/query?time=1 query=up&time=2',
    'GET /api/v1/query?query=up;',
    'GET /api/v1/query?query=up%',
    'GET /api/v1/query?query=up&junk=%zz',
    'POST /api/v1/query?junk=%ff query=up',
    'POST /api/v1/query query=up\0',
  ])('with ambiguous parameters are refused: %s', (request) => {
    expect(asked(request, OURS)).toBe('bad_parameters');
  });
});

describe('a question that grows', () => {
  it('is refused beyond 256 KiB', () => {
    const long = `GET /federate?match[]=${encoded(`{a="${'x'.repeat(4000)}"}`)}`;
    const own = Array.from({ length: 80 }, (_, index) => `{b="${String(index)}"}`);
    expect(asked(long, { match: own.slice(0, 10) })).toHaveLength(10);
    expect(asked(long, { match: own })).toBe('bad_query');
  });
});

describe('answers that are narrowed', () => {
  it('are asked for with a filter and the known parameters only', () => {
    expect(asked('GET /api/v1/rules?type=alert&whatever=true&match=x&rule_name[]=a&rule_name[]=b', OURS)).toEqual([
      ['type', 'alert'],
      ['rule_name[]', 'a'],
      ['rule_name[]', 'b'],
    ]);
    for (const [request, accept] of [
      ['GET /api/v1/rules', 'application/json'],
      ['GET /api/v1/alerts', 'application/json'],
      ['GET /api/v1/targets?state=any', 'application/json'],
      ['GET /metrics', 'text/plain;version=0.0.4'],
    ] as const) {
      expect(judge(request, OURS)).toMatchObject({ kind: 'ask', question: { method: 'GET', filter: { accept } } });
    }
    expect(judge('GET /federate?match[]=up', OURS)).toMatchObject({ question: { filter: null } });
  });

  it('are, of an exporter, what the configuration says', () => {
    expect(asked('GET /metrics?collect[]=cpu&name[]=x', OURS, exporter)).toEqual([['collect[]', 'cpu']]);
    expect(asked('GET /metrics', { ...OURS, exporterPage: 'refuse' }, exporter)).toBe('restricted_path');
    expect(asked('GET /metrics', { ...OURS, exporterPage: 'refuse' })).toBe('restricted_path');
    expect(asked('GET /metrics', OURS, self)).toEqual([]);
    expect(asked('GET /federate?match[]=up', OURS, self)).toEqual([['match[]', canonical('up{tenant="t1"}')]]);
  });
});

describe('deny_match', () => {
  const written = { denyMatch: ['{__name__=~".+"}'] };
  const everything = encoded('{__name__!=""}');

  it('refuses what is as wide, with a way out, and lets the rest through as it was asked', () => {
    expect(judge(`GET /federate?match[]=up&match[]=${everything}`, written)).toMatchObject({
      kind: 'refused',
      reason: 'selector_denied',
      details: { told: 'ask for fewer series: name a metric or a job' },
    });
    expect(asked('GET /federate?match[]=up', written)).toEqual([['match[]', canonical('up')]]);
    expect(asked(`POST /api/v1/series match[]=${everything}`, written)).toBe('selector_denied');
    expect(asked('GET /api/v1/labels', written)).toEqual([]);
  });

  it('alone leaves everything without selectors as it is', () => {
    for (const request of [
      'GET /',
      'GET /api/v1/query?query=up&query=up',
      'POST /api/v1/query query=up',
      'GET /metrics',
      'GET /api/v1/rules',
    ]) {
      expect(asked(request, written)).toBe('pass');
    }
  });

  it('of a restricted identity is about what it wrote, before its own is multiplied in', () => {
    expect(asked(`GET /federate?match[]=${everything}`, { ...OURS, ...written })).toBe('selector_denied');
  });
});

describe('the text of what is enforced', () => {
  const text = (written: Parameters<typeof judge>[1]): string => {
    const verdict = judge('GET /federate?match[]=up', written);
    if (verdict.kind !== 'ask') throw new Error(verdict.kind);
    return verdict.question.enforced;
  };

  it('is the same for the same restriction, and another for every other', () => {
    expect(text({ match: ['a', 'b'] })).toBe(text({ match: ['b', 'a'] }));
    expect(text({ match: ['b', 'a'], labels: [T1] })).toBe('(a or b) and {tenant="t1"}');
    const all = [
      { match: ['a'] },
      { match: ['a', 'b'] },
      { match: ['a'], labels: [T1] },
      { labels: [T1] },
      { match: ['a'], labels: [{ ...T1, value: 't1"} or a{x="' }] },
      { labels: [{ ...T1, value: 't2' }] },
      { denyMatch: ['x'] },
    ].map(text);
    expect(new Set(all).size).toBe(all.length);
    expect(all).not.toContain('');
  });
});
