/** The upstream `self`: the gate's own metrics behind the gate's own policy. Knows /metrics, /federate and a one-line index. */
import type { Clock } from '../lib/clock.ts';
import { runInSlices } from './slices.ts';
import { createTurns } from '../request/turns.ts';
import type { Answer } from '../request/answer.ts';
import type { ServedUpstream } from '../request/upstream.ts';
import { packed, renderExposition } from './exposition.ts';
import type { Exposition } from './exposition.ts';
import type { GateMetrics } from './metrics.ts';

const SLICE = 64 * 1024;
const INDEX = Buffer.from('promgate: its own metrics are at metrics, and at federate by match[]\n');

type Source = Pick<GateMetrics, 'expose' | 'values'>;

export function createSelfUpstream(metrics: Source, clock: Clock): ServedUpstream {
  const turns = createTurns(WAITING);
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
    if (question.path === '/metrics') {
      void tell(renderExposition(metrics, accepted), answer);
      return;
    }
    const isTaken = turns.submit(question.party, question.query.length, (done) => {
      const page = answer.closed ? Promise.resolve(null) : federation(metrics, question.query, accepted, clock, answer);
      void tell(page, answer).finally(done);
    });
    if (!isTaken) answer.refuse('narrowing_busy', { retryAfterSeconds: 1 });
  };
}

/** Of one identity, waiting. */
const WAITING = { jobs: 50, bytes: 4_194_304 };

type Page = Exposition | { readonly fault: string } | null;

/** @param page null: the client has left */
async function tell(page: Page | Promise<Page>, answer: Answer): Promise<void> {
  try {
    const exposition = await page;
    if (answer.closed || exposition === null) return;
    if ('fault' in exposition) {
      answer.refuse('bad_query', { detail: exposition.fault, told: exposition.fault });
      return;
    }
    answer.open(200, exposition.headers);
    send(answer, exposition.body);
  } catch (error) {
    if (!answer.closed) answer.refuse('internal_error', { detail: String(error) });
  }
}

/** What Prometheus's /federate says. */
const FEDERATED = 'text/plain; version=0.0.4; charset=utf-8';

async function federation(
  metrics: Pick<Source, 'values'>,
  query: string,
  acceptEncoding: string | undefined,
  clock: Clock,
  answer: Answer,
): Promise<Page> {
  // Loaded by the first question: most gates never get one.
  const { federate } = await import('./self-federation.ts');
  const selectors = new URLSearchParams(query).getAll('match[]');
  const values = selectors.length === 0 ? [] : await metrics.values();
  const found = await runInSlices(federate(selectors, values, clock.now()), clock, () => !answer.closed);
  if (found === null || 'fault' in found) return found;
  return packed({ contentType: FEDERATED, body: found.page }, acceptEncoding);
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
