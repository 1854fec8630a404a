/**
 * One request of an identity that may not see everything: reads its body where it has one, judges, and goes on or refuses.
 * What may take longer than a few milliseconds is judged off the main thread, one at a time for each identity.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IdentityRule } from '../../config/config.ts';
import { regexBudget } from '../../promql/regex.ts';
import type { Answer } from '../answer.ts';
import { partyOf } from '../party.ts';
import type { AnswerFilter } from '../question.ts';
import { readForm } from './form-body.ts';
import type { FormPorts } from './form-body.ts';
import { jsonFilter } from './json-filter.ts';
import { filterFor, judgePath, judgeQuestion } from './judge.ts';
import type { Asked, EnforceVerdict, PathVerdict } from './judge.ts';
import { narrowJson } from './narrow-json.ts';
import type { Narrowing } from './narrowing.ts';
import type { Enforcement } from './restriction.ts';

/** What the requests of one identity are judged by. */
export interface Narrower {
  readonly rule: IdentityRule;
  readonly enforcement: Enforcement;
  readonly narrowing: Narrowing;
  /** By the JSON of its answers. */
  readonly held: { bytes: number };
}

/** Bytes of a question, escapes and all, that are read at once: the worst of that length takes some three milliseconds. */
const SHORT_QUESTION = 512;
/** As long, for the regular expressions. */
const CHEAP_REGEXES = 512;
/** Bytes of JSON that are narrowed at once. */
const SMALL_JSON = 65_536;

export function narrow(
  request: FastifyRequest,
  reply: FastifyReply,
  narrower: Narrower,
  ports: FormPorts,
  next: () => void,
): void {
  const { passage, raw } = request;
  const { target, answer, upstream } = passage;
  if (upstream === null) throw new Error('enforce ran before authorize');
  const asked = {
    // No more than what is judged by: it may go to another thread.
    upstream: { kind: upstream.kind, address: upstream.address },
    method: target.method,
    path: passage.kindPath,
    query: target.query,
    accept: raw.headers.accept,
  };
  const path = judgePath(asked, narrower.enforcement);
  const settle = (verdict: EnforceVerdict): void => {
    if (verdict.kind === 'refused') {
      answer.refuse(verdict.reason, verdict.details);
      return;
    }
    if (verdict.kind === 'ask') {
      const filter = filterOf(path, asked.accept, narrower, answer);
      passage.question = { ...verdict.question, filter };
    }
    next();
  };
  const judge = (form: Buffer | null): void => {
    judgeSoon({ ...asked, form }, narrower, answer, settle);
  };
  // What is refused whatever the body says is refused before it is read; what passes as it is keeps its body.
  if (target.method !== 'POST' || path.kind !== 'write') {
    judge(null);
    return;
  }
  const { expectsContinue } = passage;
  readForm({ request: raw, response: reply.raw, expectsContinue, party: partyOf(passage) }, ports, (body) => {
    if (answer.closed) return;
    if (body.kind === 'refused') {
      answer.refuse(body.reason, { detail: body.detail, told: body.detail });
      return;
    }
    passage.bytesIn = body.bytes.length;
    judge(body.bytes);
  });
}

/** At once where that is soon. */
function judgeSoon(
  asked: Asked,
  { rule, enforcement, narrowing }: Narrower,
  answer: Answer,
  settle: (verdict: EnforceVerdict) => void,
): void {
  const size = asked.query.length + (asked.form?.length ?? 0);
  if (size <= SHORT_QUESTION) {
    const budget = regexBudget(CHEAP_REGEXES);
    const verdict = judged(() => judgeQuestion(asked, enforcement, budget));
    if (budget.left >= 0) {
      settle(verdict);
      return;
    }
  }
  const isWanted = (): boolean => !answer.closed;
  const isTaken = narrowing.submit(rule, size, { kind: 'question', asked }, isWanted, (result) => {
    if (answer.closed) return;
    settle(result?.kind === 'question' ? arrived(result.verdict) : defect('the question could not be judged'));
  });
  if (!isTaken) settle({ kind: 'refused', reason: 'narrowing_busy', details: { retryAfterSeconds: 1 } });
}

/** A Buffer comes from the other thread as the bytes that it is. */
function arrived(verdict: EnforceVerdict): EnforceVerdict {
  if (verdict.kind !== 'ask' || verdict.question.body === null) return verdict;
  return { kind: 'ask', question: { ...verdict.question, body: Buffer.from(verdict.question.body) } };
}

/** The filter of the answer, where there is one. */
function filterOf(
  path: PathVerdict,
  accept: string | undefined,
  { rule, enforcement: { restriction }, narrowing, held }: Narrower,
  answer: Answer,
): AnswerFilter | null {
  if (path.kind !== 'write' || restriction === null) return null;
  const { treatment } = path.endpoint;
  if (treatment.how !== 'json') return filterFor(path.endpoint, restriction, accept);
  return jsonFilter(treatment.of, {
    held,
    narrow(json, done) {
      const size = json.bytes.length;
      if (size <= SMALL_JSON) {
        done(narrowJson(json, (labels) => restriction.allows(labels)));
        return;
      }
      const isWanted = (): boolean => !answer.closed;
      const isTaken = narrowing.submit(rule, size, { kind: 'json', ...json }, isWanted, (result) => {
        if (result?.kind === 'json') done(result.answer);
        else done({ kind: 'unreadable', detail: 'the answer could not be narrowed' });
      });
      if (!isTaken && !answer.closed) answer.refuse('narrowing_busy', { retryAfterSeconds: 1 });
    },
  });
}

/** A defect in reading what a stranger wrote is one refused request: behind a form nobody else would catch it. */
function judged(judge: () => EnforceVerdict): EnforceVerdict {
  try {
    return judge();
  } catch (error) {
    return defect(String(error));
  }
}

function defect(detail: string): EnforceVerdict {
  return { kind: 'refused', reason: 'internal_error', details: { detail } };
}
