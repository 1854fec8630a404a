/** docs/metrics.md from the list of metrics. Pure. */
import { METRICS, NO_LABEL, OTHER_LABEL } from '../../observe/metric-list.ts';
import { code, GENERATED, markdownDocument, markdownTable } from './markdown.ts';

/** What the labels mean; a test asserts that every label has a row. */
const LABELS: Readonly<Record<string, string>> = {
  upstream: `The upstream as configured, without credentials; ${code(NO_LABEL)} when none was chosen.`,
  file: 'The path of a revocation list.',
  code: 'The status code of the answer; `499` when the client left before there was one.',
  identity:
    'The name of an entry of `identities`, a configured user, `certificate` or `anonymous`; never what a stranger typed.',
  sharing: '`leader` (asked the upstream), `joined` (shared one under way) or `reused` (got one of before, `max_age`).',
  reason: 'Why something was refused: see [errors.md](errors.md).',
  name: 'The file of a certificate, `inline`, or the first name of one that comes from a CA by ACME.',
  directory: 'The ACME directory as configured: its name, or the host of its URL.',
  subject: 'The subject of a CA certificate.',
  serial: 'The serial number of a certificate, in upper-case hex.',
  issuer: 'The issuer of a revocation list.',
  source: 'What is reloaded apart: `config` (the file and all that it names), `certificate`, `client_ca`, `htpasswd`.',
  hash: 'Twelve hex digits over what is configured, without secrets.',
  by: 'What a client showed for its certificate: `token` or `certificate`, the one before.',
  outcome:
    '`cached` (a remembered right password), `hashed`, `negative_cached` (the same wrong pair again), `queue_full`, `abandoned` (the client left, or the deadline passed), `worker_replaced`; of certificates and lists `issued` or `renewed`, or why not.',
  host: 'A host name in `allow`.',
  version: 'The version of the gate.',
  node_version: 'The version of Node.',
};

export function metricsDocument(): string {
  const rows = Object.values(METRICS);
  const labels = Object.entries(LABELS);
  return markdownDocument(
    GENERATED,
    '# Metrics',
    'The gate serves its own metrics on `/metrics` of the admin address, and through an upstream with `url: self`. The number of series is bounded by the configuration: what the configuration does not name is counted as ' +
      `${code(OTHER_LABEL)}. Beside these stand the usual \`process_*\` metrics and a few of \`nodejs_*\`.`,
    markdownTable(
      ['Metric', 'Type', 'Labels', 'Meaning'],
      rows.map(({ name, type, labels: own, help }) => [code(name), type, own.map(code).join(', '), help]),
    ),
    '## Labels',
    markdownTable(
      ['Label', 'Values'],
      labels.map(([name, meaning]) => [code(name), meaning]),
    ),
    '## What `promgate users` shows',
    'One line for each credential, counted since the start of the gate. `SCRAPES` and `BYTES` are sums, `BYTES` of all that was sent in answers; `SERIES` is of the last scrape; `REFUSALS` is their number and the reason of the last, for which see [errors.md](errors.md). Failed logins, lockouts and connections that were closed in the TLS handshake belong to nobody and are not counted there: `promgate lockouts` and `promgate_refused_total` have them.',
    '## Alerts to begin with',
    '[deploy/promgate.rules.yml](../deploy/promgate.rules.yml) has rules for the Prometheus that scrapes the gate.',
  );
}
