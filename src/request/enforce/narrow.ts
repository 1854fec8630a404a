/** One request of an identity that may not see everything: reads its body where it has one, judges, and goes on or refuses. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../lib/clock.ts';
import { readForm } from './form-body.ts';
import { judgePath, judgeQuestion } from './judge.ts';
import type { EnforceVerdict } from './judge.ts';
import type { Enforcement } from './restriction.ts';

export function narrow(
  request: FastifyRequest,
  reply: FastifyReply,
  enforcement: Enforcement,
  clock: Clock,
  next: () => void,
): void {
  const { passage, raw } = request;
  const { target, answer, upstream } = passage;
  if (upstream === null) throw new Error('enforce ran before authorize');
  const asked = {
    upstream,
    method: target.method,
    path: passage.kindPath,
    query: target.query,
    accept: raw.headers.accept,
  };
  const judge = (form: Buffer | null): void => {
    const verdict = judged(() => judgeQuestion({ ...asked, form }, enforcement));
    if (verdict.kind === 'refused') {
      answer.refuse(verdict.reason, verdict.details);
      return;
    }
    if (verdict.kind === 'ask') passage.question = verdict.question;
    next();
  };
  // What is refused whatever the body says is refused before it is read; what passes as it is keeps its body.
  if (target.method !== 'POST' || judgePath(asked, enforcement).kind !== 'write') {
    judge(null);
    return;
  }
  const { expectsContinue } = passage;
  readForm({ request: raw, response: reply.raw, expectsContinue }, clock, (body) => {
    if (answer.closed) return;
    if (body.kind === 'refused') {
      answer.refuse(body.reason, { detail: body.detail });
      return;
    }
    passage.bytesIn = body.bytes.length;
    judge(body.bytes);
  });
}

/** A defect in reading what a stranger wrote is one refused request: behind a form nobody else would catch it. */
function judged(judge: () => EnforceVerdict): EnforceVerdict {
  try {
    return judge();
  } catch (error) {
    return { kind: 'refused', reason: 'internal_error', details: { detail: String(error) } };
  }
}
