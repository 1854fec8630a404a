/**
 * What is asked of the upstream for a scrape, and with whom the answer may be shared. Pure. Every header that goes
 * upstream is in the key, except those that only describe the client: two requests with one key ask the same question.
 */
import type { Config, ScrapeSettings, Upstream } from '../../../config/config.ts';
import { parseIpv4 } from '../../../formats/address.ts';
import { acceptsGzip } from '../../message.ts';
import type { Passage } from '../../passage.ts';
import { capsOf, needsPlain, needsWhole } from './caps.ts';
import { scrapeTimeoutMs, SCRAPE_TIMEOUT_HEADER } from './deadline.ts';

export type UpstreamRequestHeaders = Record<string, string | string[]>;

export interface ScrapePlan {
  readonly headers: UpstreamRequestHeaders;
  /** Whether the gate chooses the encoding; null: it comes as the upstream sends it. */
  readonly encoding: 'gzip' | 'identity' | null;
  /** null: never shared, never kept. */
  readonly key: string | null;
  /** For how long a complete answer is given again; 0: not. */
  readonly maxAgeMs: number;
  /** The scraper's own time-out; null: it named none. */
  readonly timeoutMs: number | null;
}

const PATHS: ReadonlySet<string> = new Set(['/federate', '/metrics']);

/** Whether a request takes the scrape path. */
export function isScrape({ target, kindPath }: Pick<Passage, 'target' | 'kindPath'>): boolean {
  return target.method === 'GET' && PATHS.has(kindPath);
}

/** Go's handlers do all the work of a scrape for the headers of its answer. */
export function isHeadOfScrape({ target, kindPath }: Pick<Passage, 'target' | 'kindPath'>): boolean {
  return target.method === 'HEAD' && PATHS.has(kindPath);
}

/** They tell who asked, not what: with `across_identities` they do not go upstream at all. */
const DESCRIBE_THE_CLIENT: ReadonlySet<string> = new Set([
  'user-agent',
  'traceparent',
  'tracestate',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-promgate-user',
]);

/**
 * @param path what is asked upstream, without its query.
 * @param headers those for the upstream, written anew for this request; taken over and changed.
 * @param acceptEncoding what the client takes.
 */
export function planScrape(
  passage: Passage,
  path: string,
  headers: UpstreamRequestHeaders,
  acceptEncoding: string | string[] | undefined,
): ScrapePlan {
  const { upstream, config, question } = passage;
  if (upstream === null) throw new Error('no upstream to ask');
  const { scrape } = upstream;
  const timeoutMs = scrapeTimeoutMs(headers[SCRAPE_TIMEOUT_HEADER], upstream.responseTimeoutMs);
  if (timeoutMs === null) drop(headers, SCRAPE_TIMEOUT_HEADER);
  else headers[SCRAPE_TIMEOUT_HEADER] = String(timeoutMs / 1000);

  const caps = capsOf(passage);
  if (needsWhole(caps)) askForWhole(headers);
  const isConditional = asksForPart(headers);
  const mustBePlain = (question?.filter ?? null) !== null || needsPlain(caps);
  const encoding = isConditional ? null : encodingFor(upstream, scrape, acceptEncoding, mustBePlain);
  if (encoding !== null) headers['accept-encoding'] = 'identity';
  const mayShare = scrape.share !== 'off' && !isConditional && (question?.body ?? null) === null;
  if (scrape.share === 'across_identities') {
    for (const name of DESCRIBE_THE_CLIENT) drop(headers, name);
  }
  return {
    headers,
    encoding,
    key: mayShare ? keyOf(passage, config, upstream, path, headers, encoding) : null,
    maxAgeMs: mayShare && passage.kindPath === '/federate' ? scrape.maxAgeMs : 0,
    timeoutMs,
  };
}

/** Only what is there: an object from which was deleted is a slow one. */
function drop(headers: UpstreamRequestHeaders, name: string): void {
  if (name in headers) Reflect.deleteProperty(headers, name);
}

/** A range or a condition is about one client's copy; a page in parts is not compressed anew either. */
function asksForPart(headers: UpstreamRequestHeaders): boolean {
  for (const name in headers) if (isAboutPart(name)) return true;
  return false;
}

function askForWhole(headers: UpstreamRequestHeaders): void {
  for (const name of Object.keys(headers)) {
    if (isAboutPart(name)) drop(headers, name);
  }
}

function isAboutPart(header: string): boolean {
  return header === 'range' || header.startsWith('if-');
}

function encodingFor(
  upstream: Upstream,
  { compression }: ScrapeSettings,
  accepted: string | string[] | undefined,
  mustBePlain: boolean,
): ScrapePlan['encoding'] {
  const gateCompresses = compression === 'gate' || (compression === 'auto' && isNear(upstream));
  // What a filter or a meter reads is uncompressed, whoever would have compressed it.
  if (!gateCompresses && !mustBePlain) return null;
  return acceptsGzip(Array.isArray(accepted) ? accepted.join(',') : accepted) ? 'gzip' : 'identity';
}

/** On this host: there is no network between that compression would relieve. */
function isNear({ address }: Upstream): boolean {
  if (address.kind === 'unix' || address.kind === 'self') return true;
  const { host } = address;
  return host === 'localhost' || host === '::1' || host === '[::1]' || parseIpv4(host) >>> 24 === 127;
}

/**
 * Length-prefixed, so that no two questions make one key whatever stands in them; a third of the time of JSON, which
 * every scrape pays for.
 */
function keyOf(
  { kindPath, question, target, identity }: Passage,
  { generation }: Config,
  { name, pathPrefix, scrape }: Upstream,
  path: string,
  headers: UpstreamRequestHeaders,
  encoding: ScrapePlan['encoding'],
): string {
  const isShared = scrape.share === 'across_identities';
  let key =
    `${String(generation)} ${encoding ?? 'as it comes'} ` +
    field(name) +
    field(pathPrefix) +
    field(question?.method ?? target.method) +
    field(kindPath) +
    field(path) +
    field(question?.query ?? target.query) +
    // What was enforced is never empty, and no claim is of the kind `*`.
    field(question?.enforced ?? '') +
    field(isShared ? '*' : (identity?.claim.kind ?? '')) +
    field(isShared ? '' : (identity?.name ?? ''));
  // Sorted: the HTTP/2 client of Go, and so Prometheus, sends them in another order each time.
  for (const header of Object.keys(headers).sort()) {
    // The upstream's own credential says nothing that its name does not, and a secret is in no place too few.
    if (DESCRIBE_THE_CLIENT.has(header) || header === 'authorization') continue;
    const value = headers[header] ?? '';
    // No header holds a line feed.
    key += field(header) + field(Array.isArray(value) ? value.join('\n') : value);
  }
  return key;
}

function field(text: string): string {
  return `${String(text.length)}:${text}`;
}
