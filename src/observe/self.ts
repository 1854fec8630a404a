/** The upstream `self`: the gate's own metrics behind the gate's own policy. Knows /metrics, /federate and a one-line index. */
import type { Clock } from '../lib/clock.ts';
import type { Selector } from '../promql/selector.ts';
import type { Answer } from '../request/answer.ts';
import type { ServedUpstream } from '../request/upstream.ts';
import { packed, renderExposition } from './exposition.ts';
import type { Exposition } from './exposition.ts';
import type { GateMetrics } from './metrics.ts';

const SLICE = 64 * 1024;
const INDEX = Buffer.from('promgate: its own metrics are at metrics, and at federate by match[]\n');

type Source = Pick<GateMetrics, 'expose' | 'values'>;

export function createSelfUpstream(metrics: Source, clock: Clock): ServedUpstream {
  return (question, answer) => {
    if (question.path !== '/metrics' && question.path !== '/' && question.path !== '/federate') {
      answer.refuse('path_unknown');
      return;
    }
    if (question.method !== 'GET' && question.method !== 'HEAD') {
      answer.refuse('method_not_allowed', { allow: ['GET', 'HEAD'] });
      return;
    }
    if (question.path === '/') {
      answer.open(200, { 'content-type': 'text/plain; charset=utf-8', 'content-length': String(INDEX.length) });
      send(answer, INDEX);
      return;
    }
    const accepted = joined(question.headers['accept-encoding']);
    const page = question.path === '/metrics' ? renderExposition(metrics, accepted) : null;
    (page ?? federation(metrics, question.query, accepted, clock)).then(
      (exposition) => {
        if (answer.closed) return;
        if ('fault' in exposition) {
          answer.refuse('bad_query', { detail: exposition.fault, told: exposition.fault });
          return;
        }
        answer.open(200, exposition.headers);
        send(answer, exposition.body);
      },
      (error: unknown) => {
        if (!answer.closed) answer.refuse('internal_error', { detail: String(error) });
      },
    );
  };
}

/** More than a scrape job has, and less than a stranger could keep a core busy with. */
const MOST_SELECTORS = 100;
/** Of all their regular expressions together, which every series is held against; in the units of promql/regex-cost.ts. */
const REGEX_COST = 16_384;
/** What Prometheus's /federate says. */
const FEDERATED = 'text/plain; version=0.0.4; charset=utf-8';

/** Loaded by the first question: most gates never get one. */
const readers = () =>
  Promise.all([import('../promql/parse-selector.ts'), import('../promql/regex.ts'), import('./self-federation.ts')]);

async function federation(
  metrics: Pick<Source, 'values'>,
  query: string,
  acceptEncoding: string | undefined,
  clock: Clock,
): Promise<Exposition | { readonly fault: string }> {
  const [{ parseSelector }, { regexBudget }, { federate }] = await readers();
  const selectors: Selector[] = [];
  const budget = regexBudget(REGEX_COST);
  for (const text of new URLSearchParams(query).getAll('match[]')) {
    const selector = parseSelector(text, budget);
    if (!selector.ok) return { fault: selector.message };
    if (selectors.push(selector.value) > MOST_SELECTORS)
      return { fault: `more than ${String(MOST_SELECTORS)} match[]` };
  }
  const body = selectors.length === 0 ? '' : federate(await metrics.values(), selectors, clock.now());
  return packed({ contentType: FEDERATED, body }, acceptEncoding);
}

function joined(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(',') : header;
}

/** In slices, so that a client that reads slowly holds no second copy of the body. */
function send(answer: Answer, body: Buffer, from = 0): void {
  let at = from;
  while (at < body.length) {
    if (answer.closed) return;
    const slice = body.subarray(at, at + SLICE);
    at += slice.length;
    if (!answer.write(slice) && at < body.length) {
      answer.onDrain(() => {
        send(answer, body, at);
      });
      return;
    }
  }
  if (!answer.closed) answer.end();
}
