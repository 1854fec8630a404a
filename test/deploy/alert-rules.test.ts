/** The alert rules: promtool takes them, they ask for metrics and labels that the gate has, and each fires when it is meant to. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { METRICS } from '../../src/observe/metric-list.ts';
import type { MetricRow } from '../../src/observe/metric-list.ts';
import { findProgram } from '../support/programs.ts';
import { runProcess } from '../support/processes.ts';

const FILE = fileURLToPath(new URL('../../deploy/promgate.rules.yml', import.meta.url));

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}

const rules = (parse(readFileSync(FILE, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const metrics: readonly MetricRow[] = Object.values(METRICS);
/** Given by the Prometheus that scrapes. */
const TARGET_LABELS = ['instance', 'job'];

/** Series that let an alert fire, and the same in good order, as promtool writes samples. */
const SERIES: Readonly<
  Record<string, { readonly bad: Record<string, string>; readonly good: Record<string, string> }>
> = {
  PromgateCertificateEnds: {
    bad: { 'promgate_certificate_not_after_timestamp_seconds{name="a.crt"}': `${13 * 86_400}x120` },
    good: { 'promgate_certificate_not_after_timestamp_seconds{name="a.crt"}': `${15 * 86_400}x120` },
  },
  PromgateClientCaEnds: {
    bad: { 'promgate_client_ca_not_after_timestamp_seconds{subject="CN=a"}': `${29 * 86_400}x120` },
    good: { 'promgate_client_ca_not_after_timestamp_seconds{subject="CN=a"}': `${31 * 86_400}x120` },
  },
  PromgateRevocationListEnds: {
    bad: { 'promgate_crl_next_update_timestamp_seconds{issuer="CN=a"}': `${86_400}x120` },
    good: { 'promgate_crl_next_update_timestamp_seconds{issuer="CN=a"}': `${3 * 86_400}x120` },
  },
  PromgateReloadFailed: {
    bad: { 'promgate_config_last_reload_successful{source="htpasswd"}': '0x120' },
    good: { 'promgate_config_last_reload_successful{source="htpasswd"}': '1x120' },
  },
  PromgateUpstreamDown: {
    bad: { 'promgate_upstream_up{upstream="a"}': '0x120' },
    good: { 'promgate_upstream_up{upstream="a"}': '1x120' },
  },
  PromgateBypassable: {
    bad: { 'promgate_upstream_bypassable{upstream="a"}': '1x120' },
    good: { 'promgate_upstream_bypassable{upstream="a"}': '0x120' },
  },
  PromgatePasswordsGuessed: {
    bad: { 'promgate_refused_total{reason="credentials_wrong"}': '0+120x120' },
    good: { 'promgate_refused_total{reason="credentials_missing"}': '0+120x120' },
  },
  PromgateConfigDrift: {
    bad: {
      'promgate_config_info{job="gates",instance="a",hash="1"}': '1x120',
      'promgate_config_info{job="gates",instance="b",hash="2"}': '1x120',
    },
    good: {
      'promgate_config_info{job="gates",instance="a",hash="1"}': '1x120',
      'promgate_config_info{job="gates",instance="b",hash="1"}': '1x120',
      'promgate_config_info{job="others",instance="c",hash="2"}': '1x120',
    },
  },
};

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'promgate-rules-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** What promtool says of the alerts that fire after an hour; empty when they are as many as expected. */
async function firing(alert: string, series: Record<string, string>): Promise<boolean> {
  const test = {
    interval: '1m',
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    alert_rule_test: [{ eval_time: '1h', alertname: alert, exp_alerts: [] }],
  };
  const file = join(directory, `${alert}.yml`);
  writeFileSync(file, stringify({ rule_files: [FILE], tests: [test] }));
  const { code, stdout, stderr } = await runProcess(findProgram('promtool'), ['test', 'rules', file]);
  const output = stdout + stderr;
  if (code === 0) return false;
  expect(output).toContain(`alertname: ${alert}, time: 1h`);
  return true;
}

it('promtool accepts the file', async () => {
  const { code, stdout, stderr } = await runProcess(findProgram('promtool'), ['check', 'rules', FILE]);
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).toContain(`${rules.length} rules found`);
});

it('asks only for metrics and labels that the gate has', () => {
  for (const { alert, expr, annotations } of rules) {
    const name = /promgate_\w+/.exec(expr)?.[0];
    const metric = metrics.find((row) => row.name === name);
    expect(metric, `${alert}: ${String(name)}`).toBeDefined();
    const labels = [...(metric?.labels ?? []), ...TARGET_LABELS];
    const used = [
      ...Object.values(annotations)
        .join(' ')
        .matchAll(/\$labels\.(\w+)/g),
    ].map(([, label = '']) => label);
    const matched = [...expr.matchAll(/(\w+)="/g)].map(([, label = '']) => label);
    expect(labels, alert).toEqual(expect.arrayContaining([...used, ...matched]));
  }
});

describe.each(rules.map(({ alert }) => alert))('%s', (alert) => {
  it('fires when it is meant to, and else does not', async () => {
    const { bad, good } = SERIES[alert] ?? expect.fail(`no series for ${alert}`);
    expect(await firing(alert, bad)).toBe(true);
    expect(await firing(alert, good)).toBe(false);
  });
});
