import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { endpointsDocument } from '../../src/cli/docs/endpoints.ts';
import { errorsDocument } from '../../src/cli/docs/errors.ts';
import { logDocument } from '../../src/cli/docs/log.ts';
import { markdownTable } from '../../src/cli/docs/markdown.ts';
import { metricsDocument } from '../../src/cli/docs/metrics.ts';
import { ERROR_CODES } from '../../src/lib/errors.ts';
import { METRICS } from '../../src/observe/metric-list.ts';
import { DENY_REASON_NAMES } from '../../src/request/deny-reasons.ts';
import { ENDPOINTS } from '../../src/request/endpoints.ts';

const DOCUMENTS = {
  'metrics.md': metricsDocument,
  'errors.md': errorsDocument,
  'endpoints.md': endpointsDocument,
  'log.md': logDocument,
};

describe('docs', () => {
  it.each(Object.entries(DOCUMENTS))('%s follows from the code (npm run docs)', (name, render) => {
    expect(readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')).toBe(render());
  });

  it('has every metric and every label', () => {
    const text = metricsDocument();
    for (const { name, labels } of Object.values(METRICS)) {
      expect(text).toContain(`\`${name}\``);
      for (const label of labels) expect(text).toMatch(new RegExp(`^\\| \`${label}\` +\\| `, 'm'));
    }
  });

  it('has every reason of a refusal and every error code', () => {
    const text = errorsDocument();
    for (const name of [...DENY_REASON_NAMES, ...Object.keys(ERROR_CODES)]) expect(text).toContain(`| \`${name}\``);
  });

  it('has every endpoint', () => {
    const text = endpointsDocument();
    for (const { path } of Object.values(ENDPOINTS).flat()) expect(text).toContain(`\`${path}\``);
  });
});

it('a table is padded, and a bar in a cell does not split it', () => {
  expect(markdownTable(['A', 'Bb'], [['a|b', 'c']])).toBe('| A    | Bb  |\n| ---- | --- |\n| a\\|b | c   |');
});
