/** Random series selectors as text, right ones and nearly right ones, with regular expressions from RE2's grammar. */
import { quoteInSomeWay } from './promql-strings.ts';
import { randomFrom } from './random.ts';
import type { Random } from './random.ts';

const LABELS = ['job', 'zone', 'note', 'tenant', '__name__', 'le', 'sum', 'offset', 'by', 'nan', '_x', 'a1', 'A'];
const ODD_LABELS = ['a.b', 'é', 'a b', '0a', 'a:b', '__name__', 'job'];
const VALUES = [
  'api',
  'db',
  't1',
  't2',
  'up',
  'a',
  'b',
  '',
  "it's",
  'two\nlines',
  'é😀',
  'plain',
  '\\',
  '{tenant="t1"}',
];
const NAMES = [
  'up',
  'sum',
  'by',
  'start',
  'ALERTS',
  'job:rate5m',
  'rate',
  'and',
  'group_left',
  'inf',
  'bool',
  'nan',
  'on',
  ':a',
];
const ATOMS =
  'a b p . \\. [a-z] [^a] [[:alpha:]] \\d \\w \\s \\pN \\x61 \\x{1F600} é 😀 ^ $ \\b \\A \\z (?i:API) (?:up|db) (t[12]) [é-😀] \\Qa.b\\E'.split(
    ' ',
  );
const BROKEN = [
  '(',
  ')',
  '[',
  '[z-a]',
  'a**',
  '\\8',
  '(?<n',
  '(?=a)',
  'a{2,1}',
  'a{1001}',
  '\\Z',
  '\\C',
  '\\',
  '{,5}',
  'a{3',
  '(?P<n>a)',
];
const REPEATS = ['', '', '', '*', '+', '?', '*?', '+?', '{2}', '{0,3}', '{1,}'];
const DAMAGE = [
  '"',
  "'",
  '`',
  '{',
  '}',
  ',',
  '=',
  '~',
  '!',
  '\\',
  '#',
  '\r',
  '\n',
  ' ',
  'a',
  '(',
  ')',
  '[1m]',
  ' offset 1m',
  '\u00a0',
  '\0',
  '\ufffd',
  ':',
  '+1',
];

/** The same selectors for the same seed. */
export class SelectorCorpus {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  next(): string {
    const random = this.#random;
    const name = random.chance(0.4) ? random.pick(NAMES) : '';
    const count = name === '' ? 1 + random.below(3) : random.below(3);
    const matchers = Array.from({ length: count }, () => this.#matcher());
    const braces =
      count === 0 && random.chance(0.5) ? '' : `{${this.#gap()}${matchers.join(',')}${random.pick(['', '', ','])}}`;
    return `${this.#gap()}${name}${this.#gap()}${braces}${this.#gap()}`;
  }

  mutated(): string {
    const random = this.#random;
    let text = this.next();
    for (let times = 1 + random.below(2); times > 0; times--) {
      const at = random.below(text.length + 1);
      text = text.slice(0, at) + random.pick(['', ...DAMAGE]) + text.slice(at + random.below(3));
    }
    return text;
  }

  regex(depth = 2): string {
    const random = this.#random;
    const parts = Array.from({ length: 1 + random.below(3) }, () => {
      if (depth > 0 && random.chance(0.3)) return `(${this.regex(depth - 1)})${random.pick(REPEATS)}`;
      if (random.chance(0.04)) return random.pick(BROKEN);
      return random.pick(ATOMS) + random.pick(REPEATS);
    });
    return parts.join(random.pick(['', '', '|']));
  }

  #matcher(): string {
    const random = this.#random;
    if (random.chance(0.05)) return quoteInSomeWay(random.pick([...NAMES, 'my.metric', '']), random);
    const label = random.chance(0.1) ? quoteInSomeWay(random.pick(ODD_LABELS), random) : random.pick(LABELS);
    const operator = random.pick(['=', '!=', '=~', '!~']);
    const value = operator.endsWith('~') && random.chance(0.8) ? this.regex() : random.pick(VALUES);
    return `${this.#gap()}${label}${this.#gap()}${operator}${this.#gap()}${quoteInSomeWay(value, random)}${this.#gap()}`;
  }

  #gap(): string {
    return this.#random.chance(0.9) ? '' : this.#random.pick([' ', '\t', '\n', '\r', ' # {"\n', '#\r', '#}\r\n']);
  }
}
