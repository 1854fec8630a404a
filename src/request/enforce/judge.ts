/**
 * The decision of this step: what an identity asks in the place of what it wrote, or why it may not. Pure. The question is
 * written from the endpoint's closed list of parameters; nothing else of the request goes upstream.
 */
import type { Upstream } from '../../config/config.ts';
import { product } from '../../promql/conjoin.ts';
import { enforceQuery } from '../../promql/enforce-query.ts';
import { parseSelector } from '../../promql/parse-selector.ts';
import { printSelector } from '../../promql/print-selector.ts';
import { regexBudget } from '../../promql/regex.ts';
import type { RegexBudget } from '../../promql/regex.ts';
import { describeFault } from '../../promql/scan.ts';
import type { Selector } from '../../promql/selector.ts';
import type { RefusalDetails } from '../answer.ts';
import type { DenyReason } from '../deny-reasons.ts';
import type { AnswerFilter, WrittenQuestion } from '../question.ts';
import { isDenied } from './denied-selectors.ts';
import { enforcedEndpoint, EXPRESSION, SELECTORS } from './enforced-endpoints.ts';
import type { EnforcedEndpoint } from './enforced-endpoints.ts';
import { expositionFilter } from './exposition-filter.ts';
import { jsonFilter } from './json-filter.ts';
import { narrowJson } from './narrow-json.ts';
import { decodeParameters, encodeParameters, selectParameters } from './parameters.ts';
import type { Parameter, Parameters } from './parameters.ts';
import type { Enforcement, ReadyRestriction } from './restriction.ts';

export interface Asked {
  readonly upstream: Pick<Upstream, 'kind' | 'address'>;
  readonly method: string;
  /** Below the upstream's prefix. */
  readonly path: string;
  /** The raw query. */
  readonly query: string;
  /** The bytes of a form; null when no body came. */
  readonly form: Buffer | null;
  /** The client's Accept header. */
  readonly accept: string | undefined;
}

export type EnforceVerdict =
  /** The request goes on as it is. */
  | { readonly kind: 'pass' }
  | { readonly kind: 'ask'; readonly question: WrittenQuestion }
  | { readonly kind: 'refused'; readonly reason: DenyReason; readonly details: RefusalDetails };

/** The most selectors that one question may come to. */
export const MOST_SELECTORS = 100;
/** Prometheus takes 1 MiB of request line and headers; nobody may make a question longer than that out of a short one. */
const LONGEST_QUESTION = 262_144;
/** For the regular expressions of all selectors of a request together; about 80 ms. */
const REGEX_COST = 16_384;
/** No escape writes them down: they are no Unicode. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Whether the step has anything to say of a request, before its body is read: the endpoint of a request that is to be
 * written anew, or the verdict.
 */
export function judgePath(asked: Pick<Asked, 'upstream' | 'method' | 'path'>, enforcement: Enforcement): PathVerdict {
  const endpoint = enforcedEndpoint(asked.upstream, asked.method, asked.path);
  const { restriction } = enforcement;
  if (restriction === null) {
    return endpoint?.treatment.how === 'selectors' ? { kind: 'write', endpoint } : { kind: 'pass' };
  }
  if (endpoint === null) return refused('restricted_path', 'not an endpoint that can be narrowed');
  if (endpoint.treatment.how === 'query' && restriction.conjunction === null) {
    return refused('restricted_query', 'match of the identity is not a single selector');
  }
  if (endpoint.treatment.how === 'exposition' && restriction.exporterPage === 'refuse') {
    return refused('restricted_path', 'exporter_page is refuse');
  }
  return { kind: 'write', endpoint };
}

export type PathVerdict =
  { readonly kind: 'write'; readonly endpoint: EnforcedEndpoint } | Exclude<EnforceVerdict, { readonly kind: 'ask' }>;

/**
 * The whole decision; `asked.form` holds what came as a body.
 * @param budget for all regular expressions of the question; below zero behind it: they were too large
 */
export function judgeQuestion(
  asked: Asked,
  enforcement: Enforcement,
  budget: RegexBudget = regexBudget(REGEX_COST),
): EnforceVerdict {
  const verdict = judgePath(asked, enforcement);
  if (verdict.kind !== 'write') return verdict;
  const parameters = readParameters(asked, verdict.endpoint);
  if (!parameters.ok) return malformed(parameters.fault);
  return write(asked, verdict.endpoint, parameters.value, enforcement, budget);
}

/** How the answer to a question is narrowed, on this thread; null: it passes as it is. */
export function filterFor(
  { treatment }: EnforcedEndpoint,
  restriction: ReadyRestriction,
  accept: string | undefined,
): AnswerFilter | null {
  if (treatment.how === 'exposition') return expositionFilter(restriction, accept);
  if (treatment.how !== 'json') return null;
  return jsonFilter(treatment.of, {
    narrow: (json, done) => {
      done(narrowJson(json, (labels) => restriction.allows(labels)));
    },
    held: { bytes: 0 },
  });
}

function readParameters({ query, form }: Asked, endpoint: EnforcedEndpoint) {
  const inQuery = decodeParameters(query);
  if (!inQuery.ok) return inQuery;
  const inBody = decodeParameters(form ?? '');
  if (!inBody.ok) return inBody;
  const all = [...inQuery.value, ...inBody.value];
  const refused = all.find(({ name }) => endpoint.refused?.includes(name) === true);
  if (refused === undefined) return selectParameters(all, endpoint);
  return {
    ok: false,
    fault: `the parameter "${refused.name}" is not available to an identity that may not see every series`,
  } as const;
}

function write(
  asked: Asked,
  endpoint: EnforcedEndpoint,
  parameters: Parameters,
  { restriction, denied }: Enforcement,
  budget: RegexBudget,
): EnforceVerdict {
  const { treatment } = endpoint;
  const others = passedOn(endpoint, parameters);
  if (treatment.how === 'selectors') {
    const selectors = narrowSelectors(parameters.list(SELECTORS), treatment.without, restriction, denied, budget);
    if ('kind' in selectors) return selectors;
    const written = selectors.map((value) => ({ name: SELECTORS, value }));
    return question(asked, [...written, ...others], restriction, null);
  }
  // Without a restriction only selectors are looked at.
  if (restriction === null) return { kind: 'pass' };
  if (treatment.how === 'query') {
    const expression = parameters.scalar(EXPRESSION);
    if (expression === undefined) return malformed(`no parameter "${EXPRESSION}"`);
    const enforced = enforceQuery(expression, restriction.conjunction ?? []);
    if (!enforced.ok) return unread(describeFault(enforced));
    return question(asked, [{ name: EXPRESSION, value: enforced.query }, ...others], restriction, null);
  }
  return question(asked, others, restriction, filterFor(endpoint, restriction, asked.accept));
}

/** What comes through unread: everything of the closed list but what is narrowed. */
function passedOn({ scalars, lists, treatment }: EnforcedEndpoint, parameters: Parameters): Parameter[] {
  const passed: Parameter[] = [];
  for (const name of scalars) {
    const value = parameters.scalar(name);
    if ((name !== EXPRESSION || treatment.how !== 'query') && value !== undefined) passed.push({ name, value });
  }
  for (const name of lists) {
    if (name !== SELECTORS || treatment.how !== 'selectors')
      passed.push(...parameters.list(name).map((value) => ({ name, value })));
  }
  return passed;
}

/** The selectors to ask for, as text, or a refusal. */
function narrowSelectors(
  written: readonly string[],
  without: 'nothing' | 'refusal' | 'everything_allowed',
  restriction: ReadyRestriction | null,
  denied: Enforcement['denied'],
  budget: RegexBudget,
): readonly string[] | EnforceVerdict {
  if (written.length === 0 && without === 'nothing') return [];
  if (written.length === 0 && without === 'refusal') return malformed(`no ${SELECTORS} parameter provided`);
  // Before they are read: nine thousand fit into the headers.
  if (written.length > MOST_SELECTORS) return tooMany();
  const asked: Selector[] = [];
  for (const text of written) {
    const selector = parseSelector(text, budget, without === 'nothing');
    if (!selector.ok) {
      const { message, hint } = selector;
      return unread(`${SELECTORS}: ${message}${hint === undefined ? '' : ` (${hint})`}`);
    }
    if (isDenied(selector.value, denied)) {
      const told = 'ask for fewer series: name a metric or a job';
      return { kind: 'refused', reason: 'selector_denied', details: { detail: printSelector(selector.value), told } };
    }
    asked.push(selector.value);
  }
  const narrowed = restriction === null ? asked : narrow(asked, restriction);
  if (narrowed === null) return tooMany();
  // A question without selectors is about everything.
  if (restriction !== null && narrowed.length === 0) return refused('internal_error', 'nothing was narrowed');
  return narrowed.map(printSelector);
}

function tooMany(): EnforceVerdict {
  return unread(`more than ${String(MOST_SELECTORS)} selectors, those of the identity multiplied in`);
}

/** Without any the restriction itself is what is asked for. */
function narrow(asked: readonly Selector[], { match, labels }: ReadyRestriction): readonly Selector[] | null {
  if (asked.length > 0) return product(match, asked, labels, MOST_SELECTORS);
  return match.length === 0 ? [{ matchers: labels }] : product([], match, labels, MOST_SELECTORS);
}

function question(
  { method }: Asked,
  parameters: readonly Parameter[],
  restriction: ReadyRestriction | null,
  filter: AnswerFilter | null,
): EnforceVerdict {
  if (parameters.some(({ name, value }) => LONE_SURROGATE.test(name + value)))
    return malformed('text that is no Unicode');
  const written = encodeParameters(parameters);
  if (written.length > LONGEST_QUESTION) return unread('the question is too long, with what the identity adds to it');
  const isPost = method === 'POST';
  return {
    kind: 'ask',
    question: {
      method: isPost ? 'POST' : 'GET',
      query: isPost ? '' : written,
      body: isPost ? Buffer.from(written, 'ascii') : null,
      enforced: restriction?.text ?? 'every series',
      filter,
    },
  };
}

function malformed(told: string): EnforceVerdict & { readonly kind: 'refused' } {
  return refused('bad_parameters', told, told);
}

function unread(told: string): EnforceVerdict & { readonly kind: 'refused' } {
  return refused('bad_query', told, told);
}

function refused(
  reason: DenyReason,
  detail: string,
  told?: string,
): { readonly kind: 'refused'; readonly reason: DenyReason; readonly details: RefusalDetails } {
  return { kind: 'refused', reason, details: { detail, ...(told === undefined ? {} : { told }) } };
}
