/**
 * Random series selectors, read by us and by real Prometheus servers: the same are accepted, and those mean the same
 * series, as they came, as they are written anew, and as a predicate.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../src/promql/matches.ts';
import { parseSelector } from '../../src/promql/parse-selector.ts';
import { printSelector } from '../../src/promql/print-selector.ts';
import { prometheusPrograms } from '../support/programs.ts';
import { SelectorCorpus } from '../support/selector-corpus.ts';
import { NOW, startTenantPair } from '../support/tenant-blocks.ts';
import type { TenantPair } from '../support/tenant-blocks.ts';

/** Another seed, or more selectors: PROMGATE_TEST_SEED=… PROMGATE_TEST_QUERIES=… */
const SEED = Number(process.env['PROMGATE_TEST_SEED'] ?? 20_231_114);
const SELECTORS = Number(process.env['PROMGATE_TEST_QUERIES'] ?? 800);
const AT_ONCE = 16;

type Acceptance = 'neither' | 'both' | 'we' | 'it';
type Labels = Readonly<Record<string, string>>;

/** What only Prometheus 3 reads, and what we are stricter about on purpose. */
const STRICTER: readonly RegExp[] = [
  // A metric called offset: the grammar for editors has no such thing.
  /^(?:\s|#[^\n\r]*[\n\r])*offset/i,
  // An empty quoted name, which Prometheus 3 takes, and bytes that are no UTF-8.
  /[{,](?:\s|#[^\n\r]*[\n\r])*(["'`])\1/,
  /\\(?:x[89a-fA-F]|[23])/,
];

describe.each(prometheusPrograms())('$name and selectors', ({ name, path: program }) => {
  const newest = name === 'Prometheus 3';
  let tenants: TenantPair;
  let series: readonly Labels[];

  /** null: refused. */
  const ask = async (selector: string): Promise<readonly Labels[] | null> => {
    const query = new URLSearchParams({ 'match[]': selector, start: String(NOW - 3600), end: String(NOW) });
    const response = await fetch(`${tenants.both.url}/api/v1/series`, { method: 'POST', body: query });
    const answer = (await response.json()) as { status: string; data?: readonly Labels[] };
    return answer.status === 'success' ? (answer.data ?? []) : null;
  };
  /** Comparable; without what the dot of Prometheus 2 does not match. */
  const keys = (found: readonly Labels[]): string[] =>
    found
      .filter(({ note = '' }) => newest || !note.includes('\n'))
      .map((labels) => JSON.stringify(Object.entries(labels).sort()))
      .sort();

  beforeAll(async () => {
    tenants = await startTenantPair(program, newest);
    series = (await ask('{__name__!=""}'))!;
    expect(series.length).toBeGreaterThan(100);
  });

  afterAll(() => tenants.stop());

  const compare = async (text: string): Promise<Acceptance> => {
    const read = parseSelector(text);
    const there = await ask(text);
    if (!read.ok) return there === null ? 'neither' : 'it';
    const written = printSelector(read.value);
    const matches = compile(read.value);
    const here = keys(series.filter((labels) => matches((label) => labels[label])));
    const again = await ask(written);
    if (there === null) return 'we';
    expect(keys(there), text).toEqual(here);
    expect(again && keys(again), `${text} written as ${written}`).toEqual(here);
    return 'both';
  };

  const isExpected = (who: Acceptance, text: string): boolean => {
    if (who === 'we') return !newest && /["'`]/.test(text);
    if (who !== 'it') return true;
    const read = parseSelector(text);
    const tooLarge = !read.ok && read.message.includes('too large');
    return tooLarge || STRICTER.some((rule) => rule.test(text));
  };

  it.each(['right', 'mutated'] as const)('reads %s selectors as this Prometheus does', async (kind) => {
    const corpus = new SelectorCorpus(SEED + (kind === 'right' ? 0 : 1));
    const counts = { neither: 0, both: 0, we: 0, it: 0 };
    let left = SELECTORS;
    const worker = async (): Promise<void> => {
      while (left-- > 0) {
        const text = kind === 'right' ? corpus.next() : corpus.mutated();
        const who = await compare(text);
        counts[who]++;
        if (!isExpected(who, text)) throw new Error(`accepted by ${who} only (seed ${SEED}): ${JSON.stringify(text)}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    expect(counts.both).toBeGreaterThan(SELECTORS / 20);
    expect(counts.neither).toBeGreaterThan(SELECTORS / 50);
  });
});
