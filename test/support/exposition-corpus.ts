/** Random exporter pages of the tenants a and b: right ones, and such as sloppy exporters write. The same for the same seed. */
import { randomFrom } from './random.ts';
import type { Random } from './random.ts';
import type { Page } from './scraped-pages.ts';

const TEXT = 'text/plain; version=0.0.4; charset=utf-8';
const OPENMETRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** What stands between the quotes, as it is written on the page. */
const VALUES = [
  'plain',
  'a',
  'b',
  '',
  'C:\\dir',
  'C:\\\\',
  'C:\\',
  '\\"',
  '\\q\\n',
  '} 1',
  ',tenant=',
  ',tenant=\\"a\\"',
  'é😀',
  '#',
  '{}',
  'x\0y',
  '\\\0',
  '\r',
];
/** In the text format only. */
const LONG_VALUES = ['x\ny', '\nm{tenant=\\"a\\"} 1\n', '\n\n', '\n# EOF\n', "\nm{tenant='a'} 1\n"];
const NOISE = ['"', '\\', '\n', '{', '}', ',', '=', ' ', '\t', '#', '\0', '"\n', '\\"', 'a', '\r', '"a"'];

export class ExpositionCorpus {
  readonly #random: Random;
  #names = 0;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  page(): Page {
    const random = this.#random;
    const isOpenMetrics = random.chance(0.25);
    const lines = Array.from({ length: 1 + random.below(6) }, () => this.#line(isOpenMetrics));
    const end = isOpenMetrics ? '# EOF' : '';
    let body = lines.join('\n') + (isOpenMetrics || random.chance(0.7) ? '\n' : '') + end;
    // Now and then a letter too much or too little.
    if (random.chance(0.3)) {
      const at = random.below(body.length);
      body = body.slice(0, at) + (random.chance(0.7) ? random.pick(NOISE) : '') + body.slice(at + random.below(2));
    }
    return { body, contentType: isOpenMetrics ? OPENMETRICS : TEXT };
  }

  #line(isOpenMetrics: boolean): string {
    const random = this.#random;
    if (random.chance(0.15)) return this.#comment(isOpenMetrics);
    // Of its own: the same series twice is refused by some.
    const name = `m${String((this.#names += 1))}`;
    const labels = [`tenant="${random.pick(['a', 'a', 'b', 'b', 'c'])}"`];
    for (let more = random.below(3); more > 0; more--) {
      const label = random.pick(['path', 'note', 'zone']) + String(more);
      const values = !isOpenMetrics && random.chance(0.2) ? LONG_VALUES : VALUES;
      labels.splice(random.below(labels.length + 1), 0, `${label}="${random.pick(values)}"`);
    }
    if (isOpenMetrics) return `${name}{${labels.join(',')}} 1`;
    const blank = (): string => random.pick(['', '', '', ' ', '\t']);
    const inner = labels.join(random.pick([',', ',', ',', ' , ', ' ', '']));
    const value = random.pick(['1', '+Inf', 'NaN', '.5e3', '1.']);
    return `${name}${blank()}{${blank()}${inner}${random.pick(['', '', ','])}}${random.pick([' ', ' ', ''])}${value}`;
  }

  #comment(isOpenMetrics: boolean): string {
    const random = this.#random;
    const metadata = ['# HELP m of "tenant', '# TYPE m gauge'];
    return random.pick(isOpenMetrics ? metadata : [...metadata, '# "', '#', '', ' \t', '# tenant="a"', '# EOF']);
  }
}
