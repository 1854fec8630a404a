/** `match`, `labels` and `deny_match` of an entry of `identities`: what they come to. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import type { IdentityRule } from '../../src/config/config.ts';
import { QUERY_ENDPOINTS } from '../../src/config/rules/restrictions.ts';
import { parseSelector } from '../../src/promql/parse-selector.ts';
import { printSelector } from '../../src/promql/print-selector.ts';
import { ENFORCED_ENDPOINTS } from '../../src/request/enforce/enforced-endpoints.ts';
import { createConfigFixture } from './config-fixture.ts';
import type { ConfigFixture } from './config-fixture.ts';

let fixture: ConfigFixture;

beforeAll(() => {
  fixture = createConfigFixture();
});

afterAll(() => {
  fixture.remove();
});

async function identity(yaml: string): Promise<IdentityRule> {
  fixture.write(
    'restriction.yml',
    `htpasswd_file: htpasswd\nlisten_addresses: [127.0.0.1:9095]\nidentities:\n  - {name: prom}\n  - name: second\n${yaml}`,
  );
  const result = await loadConfig(fixture.path('restriction.yml'), { generation: 1 });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  const rule = result.loaded.config.identities?.[1];
  if (rule === undefined) throw new Error('no identity');
  return rule;
}

describe('the restriction of an identity', () => {
  it('is none without match and labels, and an exporter page alone makes none', async () => {
    expect((await identity('')).restriction).toBeNull();
    expect((await identity('    exporter_page: refuse\n')).restriction).toBeNull();
    expect((await identity('')).denyMatch).toEqual([]);
  });

  it('has the labels as matchers: a value, several values, a regular expression', async () => {
    const { restriction } = await identity(
      `    labels: {tenant: t1, env: [prod, "a.b|c"], one: [x], cluster: "=~eu-.*", number: 012, __proto__: y}\n`,
    );
    expect(restriction).toEqual({
      match: [],
      labels: [
        { label: 'tenant', operator: '=', value: 't1' },
        { label: 'env', operator: '=~', value: 'prod|a\\.b\\|c' },
        { label: 'one', operator: '=', value: 'x' },
        { label: 'cluster', operator: '=~', value: 'eu-.*' },
        { label: 'number', operator: '=', value: '012' },
        { label: '__proto__', operator: '=', value: 'y' },
      ],
      exporterPage: 'filter',
    });
  });

  it('has the selectors of match and deny_match, read', async () => {
    const rule = await identity(
      `    match: ['up{job="node"}', down]\n    deny_match: ['{__name__=~".+"}']\n    exporter_page: refuse\n`,
    );
    const canonical = (text: string): string => {
      const read = parseSelector(text);
      return read.ok ? printSelector(read.value) : read.message;
    };
    expect(rule.restriction?.match.map(printSelector)).toEqual(['up{job="node"}', 'down'].map(canonical));
    expect(rule.restriction?.exporterPage).toBe('refuse');
    expect(rule.denyMatch.map(printSelector)).toEqual(['{__name__=~".+"}'].map(canonical));
  });
});

describe('the warning of several selectors', () => {
  it('names the endpoints on which the gate refuses them', () => {
    const query = ENFORCED_ENDPOINTS.prometheus.filter(({ treatment }) => treatment.how === 'query');
    expect([...QUERY_ENDPOINTS].sort()).toEqual(query.map(({ path }) => path).sort());
  });
});
