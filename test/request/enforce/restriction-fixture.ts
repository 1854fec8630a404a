/** Restrictions as they are configured, from the text of their selectors. */
import type { IdentityRule } from '../../../src/config/config.ts';
import { parseSelector } from '../../../src/promql/parse-selector.ts';
import { printSelector } from '../../../src/promql/print-selector.ts';
import type { Matcher, Selector } from '../../../src/promql/selector.ts';
import { judgeQuestion } from '../../../src/request/enforce/judge.ts';
import type { Asked, EnforceVerdict } from '../../../src/request/enforce/judge.ts';
import { enforcementOf } from '../../../src/request/enforce/restriction.ts';
import type { Enforcement } from '../../../src/request/enforce/restriction.ts';
import { identityOf, upstreamOf } from '../../support/config-fixture.ts';

export interface Written {
  readonly match?: readonly string[];
  readonly labels?: readonly Matcher[];
  readonly exporterPage?: 'filter' | 'refuse';
  readonly denyMatch?: readonly string[];
}

export const T1: Matcher = { label: 'tenant', operator: '=', value: 't1' };

/** @throws Error for text that is no selector. */
export function selectorOf(text: string): Selector {
  const read = parseSelector(text);
  if (!read.ok) throw new Error(`${text}: ${read.message}`);
  return read.value;
}

export const canonical = (text: string): string => printSelector(selectorOf(text));

export function ruleOf({ match = [], labels = [], exporterPage = 'filter', denyMatch = [] }: Written): IdentityRule {
  const isRestricted = match.length > 0 || labels.length > 0;
  return identityOf({
    restriction: isRestricted ? { match: match.map(selectorOf), labels, exporterPage } : null,
    denyMatch: denyMatch.map(selectorOf),
  });
}

export function enforcement(written: Written): Enforcement {
  const made = enforcementOf(ruleOf(written));
  if (made === null) throw new Error('nothing is enforced');
  return made;
}

/** `GET /path?query`, or `POST /path?query form`, as it would be judged. */
export function judge(request: string, written: Written, more: Partial<Asked> = {}): EnforceVerdict {
  const [, method = '', path = '', query = '', form] = /^(\S+) ([^?\s]+)\??(\S*)(?: (.*))?$/s.exec(request) ?? [];
  const asked = { upstream: upstreamOf(), method, path, query, form: form === undefined ? null : Buffer.from(form) };
  return judgeQuestion({ ...asked, accept: undefined, ...more }, enforcement(written));
}

/** What goes upstream, decoded: `[name, value]` in order; or the reason of the refusal, or `pass`. */
export function asked(request: string, written: Written, more: Partial<Asked> = {}): string[][] | string {
  const verdict = judge(request, written, more);
  if (verdict.kind !== 'ask') return verdict.kind === 'pass' ? 'pass' : verdict.reason;
  const { query, body } = verdict.question;
  if (body !== null && query !== '') throw new Error('a question with a query and a body');
  return [...new URLSearchParams(body === null ? query : body.toString())];
}
