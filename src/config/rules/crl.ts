/** Rules of `crl`: what is fetched is used, and what is published is there. */
import type { Problem } from '../../lib/problem.ts';
import { error } from './rule.ts';
import type { Rule, RuleInput } from './rule.ts';

const CRL = 'crl';
/** A revocation that takes longer than this to arrive is none. */
const LONGEST_INTERVAL_MS = 3_600_000;

export const crlRule: Rule = (input) => [...publishProblems(input), ...fetchProblems(input)];

function publishProblems({ raw: { crl, tls_server_config: tls } }: RuleInput): Problem[] {
  if (crl?.publish !== true || (tls?.client_crl_files.length ?? 0) > 0) return [];
  const hint = 'set client_crl_files in tls_server_config: those are published';
  return [error('there is no revocation list to publish', [CRL, 'publish'], { at: 'key', hint })];
}

function fetchProblems({ raw: { crl, tls_server_config: tls } }: RuleInput): Problem[] {
  const found: Problem[] = [];
  const files = (crl?.fetch ?? []).map(({ file }) => file);
  for (const [index, { file, interval }] of (crl?.fetch ?? []).entries()) {
    const at = [CRL, 'fetch', index];
    if (tls?.client_crl_files.includes(file) !== true) {
      const hint = 'name it in client_crl_files of tls_server_config too, written the same';
      found.push(error(`${JSON.stringify(file)} is fetched, but no client is judged by it`, [...at, 'file'], { hint }));
    }
    if (files.indexOf(file) !== index) {
      const hint = 'give each list a file of its own';
      found.push(error(`${JSON.stringify(file)} is fetched already`, [...at, 'file'], { hint }));
    }
    if (interval > LONGEST_INTERVAL_MS) {
      const hint = 'write 1h or less';
      found.push(error('a revocation would take more than an hour to arrive', [...at, 'interval'], { hint }));
    }
  }
  return found;
}
