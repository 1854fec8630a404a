/** The upstream `self`: the gate's own metrics behind the gate's own policy. Knows /metrics and a one-line index. */
import type { Answer } from '../request/answer.ts';
import type { ServedUpstream } from '../request/upstream.ts';
import { renderExposition } from './exposition.ts';
import type { GateMetrics } from './metrics.ts';

const SLICE = 64 * 1024;
const INDEX = Buffer.from('promgate: its own metrics are at metrics\n');

export function createSelfUpstream(metrics: Pick<GateMetrics, 'expose'>): ServedUpstream {
  return (question, answer) => {
    if (question.path !== '/metrics' && question.path !== '/') {
      answer.refuse('path_unknown');
      return;
    }
    if (question.method !== 'GET') {
      answer.refuse('method_not_allowed', { allow: ['GET'] });
      return;
    }
    if (question.path === '/') {
      answer.open(200, { 'content-type': 'text/plain; charset=utf-8', 'content-length': String(INDEX.length) });
      send(answer, INDEX);
      return;
    }
    renderExposition(metrics, joined(question.headers['accept-encoding'])).then(
      ({ headers, body }) => {
        if (answer.closed) return;
        answer.open(200, headers);
        send(answer, body);
      },
      (error: unknown) => {
        if (!answer.closed) answer.refuse('internal_error', { detail: String(error) });
      },
    );
  };
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
