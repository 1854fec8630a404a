/** The alert rules: promtool takes them, they ask for metrics and labels that the gate has, and each fires when it is meant to. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { METRICS } from '../../src/observe/metric-list.ts';
import type { MetricRow } from '../../src/observe/metric-list.ts';
import { findProgram } from '../support/programs.ts';
import { runProcess } from '../support/processes.ts';

const FILE = fileURLToPath(new URL('../../deploy/promgate.rules.yml', import.meta.url));
const TESTS = fileURLToPath(new URL('./promgate.rules.test.yml', import.meta.url));

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}

interface Expectation {
  readonly alertname: string;
  readonly exp_alerts: readonly unknown[];
}

const rules = (parse(readFileSync(FILE, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const metrics: readonly MetricRow[] = Object.values(METRICS);
/** Given by the Prometheus that scrapes. */
const TARGET_LABELS = ['instance', 'job'];

it('promtool accepts the file', async () => {
  const { code, stdout, stderr } = await runProcess(findProgram('promtool'), ['check', 'rules', FILE]);
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).toContain(`${rules.length} rules found`);
});

it('asks only for metrics and labels that the gate has', () => {
  for (const { alert, expr, annotations } of rules) {
    const known = [...expr.matchAll(/promgate_\w+/g)].map(([name]) => {
      const metric = metrics.find((row) => row.name === name);
      expect(metric, `${alert}: ${name}`).toBeDefined();
      return metric?.labels ?? [];
    });
    const labels = [...(known[0] ?? []), ...TARGET_LABELS];
    const used = [
      ...Object.values(annotations)
        .join(' ')
        .matchAll(/\$labels\.(\w+)/g),
    ].map(([, label = '']) => label);
    const matched = [...expr.matchAll(/(\w+)="/g)].map(([, label = '']) => label);
    expect(labels, alert).toEqual(expect.arrayContaining([...used, ...matched]));
  }
});

it('each alert fires when it is meant to, says what its test expects, and is silent before', async () => {
  const { code, stdout, stderr } = await runProcess(findProgram('promtool'), ['test', 'rules', TESTS]);
  expect(code, stdout + stderr).toBe(0);
});

it('has a test of every alert, that it fires and that it does not', () => {
  const { tests } = parse(readFileSync(TESTS, 'utf8')) as { tests: { alert_rule_test: Expectation[] }[] };
  const expectations = tests.flatMap((test) => test.alert_rule_test);
  for (const { alert } of rules) {
    const own = expectations.filter(({ alertname }) => alertname === alert);
    expect(own.map(({ exp_alerts }) => exp_alerts.length > 0).toSorted(), alert).toEqual(
      expect.arrayContaining([false, true]),
    );
  }
});
