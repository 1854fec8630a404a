/** The last decisions of decide.ts: what a restricted identity asks in the place of what it wrote, and what goes upstream. */
import type { Caps, IdentityRule } from '../config/config.ts';
import { ruleAt, ruleOf, passed, refused, upstreamAt } from './decision.ts';
import type { Decision, Findings } from './decision.ts';
import { judgeQuestion } from './enforce/judge.ts';
import { enforcementOf } from './enforce/restriction.ts';
import { capsOf } from './forward/scrape/caps.ts';
import { isScrape } from './forward/scrape/plan.ts';

export function decideQuestion(findings: Findings): Decision | null {
  const { asked, target, identity, upstream, kindPath } = findings;
  const rule = ruleOf(identity);
  const enforcement = rule === null ? null : enforcementOf(rule);
  if (rule === null || enforcement === null) return null;
  if (upstream === null) throw new Error('enforce ran before authorize');
  const { method, query } = target;
  const form = asked.form === null ? null : Buffer.from(asked.form);
  const verdict = judgeQuestion({ upstream, method, path: kindPath, query, form, accept: undefined }, enforcement);
  const because = [...ruleAt(asked.config, rule), keyOf(rule, verdict.kind === 'refused' ? verdict.reason : null)];
  if (verdict.kind === 'refused') {
    return refused('enforce', verdict.reason, verdict.details.detail ?? 'not for this identity', because);
  }
  if (verdict.kind === 'pass') return passed('enforce', 'there is nothing to narrow', because);
  findings.question = verdict.question;
  const says = verdict.question.filter === null ? 'the question is written anew' : 'the answer is narrowed';
  return passed('enforce', `${says}: ${rule.name} may see ${verdict.question.enforced}`, because);
}

function keyOf({ restriction }: IdentityRule, reason: string | null): string {
  if (reason === 'selector_denied' || restriction === null) return 'deny_match';
  return restriction.match.length > 0 ? 'match' : 'labels';
}

/** Never a refusal: how much an answer is nobody knows before it comes. */
export function decideCaps(findings: Findings): Decision | null {
  const { asked, identity } = findings;
  if (!isScrape(findings)) return null;
  const most = inWords(capsOf({ identity, config: asked.config }));
  if (most === '') return null;
  const rule = ruleOf(identity);
  const because = rule === null ? ['caps'] : [...ruleAt(asked.config, rule), 'caps'];
  return passed('caps', `at most ${most}: only the answer tells`, because);
}

function inWords({ series, bytes, durationMs, concurrentScrapes }: Caps): string {
  return [
    ...(series === null ? [] : [`${String(series)} series`]),
    ...(bytes === null ? [] : [`${String(bytes)} bytes`]),
    ...(durationMs === null ? [] : [seconds(durationMs)]),
    ...(concurrentScrapes === null ? [] : [`${String(concurrentScrapes)} at once`]),
  ].join(', ');
}

function seconds(ms: number): string {
  return `${String(ms / 1000)} s`;
}

/** Of a scrape: who else gets the same answer, and for how long. Empty: nobody does. */
function sharingOf(findings: Findings): string {
  const { upstream, kindPath } = findings;
  if (upstream === null || upstream.scrape.share === 'off' || !isScrape(findings)) return '';
  const { share, maxAgeMs } = upstream.scrape;
  const whose = share === 'identity' ? 'this identity' : 'all identities';
  const again = maxAgeMs > 0 && kindPath === '/federate' ? `, given again for ${seconds(maxAgeMs)} (max_age)` : '';
  return `; one answer for the same scrapes of ${whose} (share: ${share})${again}`;
}

export function decideForward(findings: Findings): Decision {
  const { asked, upstream, target, kindPath, question } = findings;
  if (upstream === null) throw new Error('forward ran before authorize');
  const at = [...upstreamAt(asked.config, upstream), 'url'];
  const path = upstream.basePath + (upstream.stripPrefix ? kindPath : target.path);
  const { method, query } = question ?? { method: target.method, query: target.query };
  const form = question === null ? asked.form : (question.body?.toString('latin1') ?? null);
  const line = `${method} ${path}${query === '' ? '' : `?${query}`}${form === null ? '' : ` with ${form}`}`;
  const who = upstream.address.kind === 'self' ? 'the gate answers by itself' : `${upstream.name} is asked`;
  return passed('forward', `${who}: ${line}${sharingOf(findings)}`, at);
}
