/** Step 4: narrows the question of an identity that may not see everything. Glue; for everybody else one comparison. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Config, IdentityRule } from '../../config/config.ts';
import type { Clock } from '../../lib/clock.ts';
import { readForm } from './form-body.ts';
import { judgePath, judgeQuestion } from './judge.ts';
import type { EnforceVerdict } from './judge.ts';
import { enforcementOf } from './restriction.ts';
import type { Enforcement } from './restriction.ts';

export interface EnforceOptions {
  readonly config: Config;
  readonly clock: Clock;
}

export const enforcePlugin = fp<EnforceOptions>(
  (app, { config, clock }, done) => {
    const enforcements = new Map<IdentityRule, Enforcement>();
    for (const rule of config.identities ?? []) {
      const enforcement = enforcementOf(rule);
      if (enforcement !== null) enforcements.set(rule, enforcement);
    }
    app.addHook('onRequest', (request, reply, next) => {
      const claim = request.passage.identity?.claim;
      if (claim === undefined) throw new Error('enforce ran before authenticate');
      const enforcement = claim.kind === 'rule' ? enforcements.get(claim.rule) : undefined;
      if (enforcement === undefined) next();
      else enforce(request, reply, enforcement, clock, next);
    });
    done();
  },
  { name: 'enforce', dependencies: ['authorize'] },
);

function enforce(
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
