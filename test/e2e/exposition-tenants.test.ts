/**
 * Random exporter pages of two tenants, scraped by real Prometheus servers as they are and as one tenant gets them: what
 * the tenant gets never makes a series of another tenant, and makes all of its own that the whole page makes.
 */
import { describe, expect, it } from 'vitest';
import { expositionFilter } from '../../src/request/enforce/exposition-filter.ts';
import { recordingAnswer } from '../request/enforce/recording-answer.ts';
import { enforcement } from '../request/enforce/restriction-fixture.ts';
import { ExpositionCorpus } from '../support/exposition-corpus.ts';
import { prometheusPrograms } from '../support/programs.ts';
import { scrapedPages } from '../support/scraped-pages.ts';
import type { Page, Series } from '../support/scraped-pages.ts';

/** Another seed, or more pages: PROMGATE_TEST_SEED=… PROMGATE_TEST_QUERIES=… */
const SEED = Number(process.env['PROMGATE_TEST_SEED'] ?? 20_231_114);
const PAGES = Number(process.env['PROMGATE_TEST_QUERIES'] ?? 150);

/** null: refused or cut. */
function filtered({ body, contentType }: Page): Page | null {
  const { restriction } = enforcement({ labels: [{ label: 'tenant', operator: '=', value: 'a' }] });
  const answer = recordingAnswer();
  const filter = expositionFilter(restriction!, undefined).over(answer);
  filter.open(200, { 'content-type': contentType });
  const bytes = Buffer.from(body);
  // In pieces of odd sizes, as a network brings them.
  for (let at = 0; at < bytes.length; at += 37) filter.write(bytes.subarray(at, at + 37));
  filter.end();
  return answer.ending === 'ended' ? { body: answer.body, contentType: String(answer.headers['content-type']) } : null;
}

const keys = (series: readonly Series[]): string[] =>
  series.map((labels) => JSON.stringify(Object.entries(labels).sort())).sort();

describe.each(prometheusPrograms())('$name and pages of two tenants', ({ path: program }) => {
  it('reads of a filtered page what it reads of that tenant in the whole page', async () => {
    const corpus = new ExpositionCorpus(SEED);
    const whole: Page[] = Array.from({ length: PAGES }, () => corpus.page());
    const parts = whole.map(filtered);
    const scraped = await scrapedPages(program, [...whole, ...parts.flatMap((part) => part ?? [])]);
    const ofParts = scraped.slice(PAGES);
    const count = { both: 0, unread: 0, mended: 0 };
    for (const [at, page] of whole.entries()) {
      const here = JSON.stringify(page.body.toString());
      const there = scraped[at] ?? null;
      if (parts[at] === null) {
        // Only what a random NUL or a broken line of the tenant's own has made of it.
        if (there !== null) count.unread += 1;
        continue;
      }
      const got = ofParts.shift() ?? null;
      for (const labels of got ?? []) expect(labels['tenant'], here).toBe('a');
      if (there === null) {
        if (got !== null) count.mended += 1;
        continue;
      }
      expect(keys(got ?? []), here).toEqual(keys(there.filter(({ tenant }) => tenant === 'a')));
      count.both += 1;
    }
    expect(count.both).toBeGreaterThan(PAGES / 4);
    expect(count.mended).toBeGreaterThan(0);
    expect(count.unread).toBeLessThan(PAGES / 50);
  });
});
