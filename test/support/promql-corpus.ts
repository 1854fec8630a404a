/**
 * Random PromQL from a grammar that knows types, so that most of it has an answer. Every selector is kept apart from the
 * text around it: the same query can be written with a matcher added, without a parser.
 */
import { quoteInSomeWay } from './promql-strings.ts';
import { randomFrom } from './random.ts';
import type { Random } from './random.ts';

interface Said {
  /** As it stands in the query. */
  readonly text: string;
  /** `label operator value`, unquoted. */
  readonly means: string;
}

interface Hole {
  readonly before: string;
  readonly name: string;
  readonly matchers: readonly Said[];
}

export interface CorpusQuery {
  /** As a user writes it: comments, odd gaps, all quotes. */
  readonly text: string;
  /** The same with `label="value"` at the end of every selector that does not say just that by itself. */
  narrowed(label: string, value: string): string;
}

export interface Vocabulary {
  readonly metrics: readonly string[];
  readonly histograms: readonly string[];
  /** Labels with values that series have. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
  /** Also what only Prometheus 3 with its experimental functions knows. */
  readonly newest: boolean;
}

const OVER_VECTOR =
  'abs ceil floor exp sgn sqrt deg rad sin cos tanh timestamp sort sort_desc day_of_week hour minute month round ln'.split(
    ' ',
  );
const OVER_RANGE =
  'rate irate increase delta idelta deriv changes resets avg_over_time min_over_time max_over_time sum_over_time count_over_time last_over_time present_over_time stddev_over_time stdvar_over_time absent_over_time'.split(
    ' ',
  );
const AGGREGATIONS = 'sum avg min max count group stddev stdvar SUM Count'.split(' ');
const ARITHMETIC = '+ - * / % ^ atan2'.split(' ');
const COMPARISONS = '== != < <= > >='.split(' ');
const SETS = 'and or unless AND Or'.split(' ');
const DURATIONS = '15s 1m 2m 5m 1m30s 90s'.split(' ');

/** The same queries for the same seed. */
export class PromqlCorpus {
  readonly #random: Random;
  readonly #words: Vocabulary;
  #holes: Hole[] = [];
  #text = '';

  constructor(seed: number, words: Vocabulary) {
    this.#random = randomFrom(seed);
    this.#words = words;
  }

  next(): CorpusQuery {
    this.#holes = [];
    this.#text = '';
    this.#vector(4);
    const holes = this.#holes;
    const tail = this.#text;
    const write = (more: readonly Said[]): string =>
      holes
        .map(({ before, name, matchers }) => {
          const added = more.filter(({ means }) => !matchers.some((matcher) => matcher.means === means));
          const all = [...matchers, ...added].map(({ text }) => text);
          return `${before}${name}${all.length === 0 ? '' : `{${all.join(',')}}`}`;
        })
        .join('') + tail;
    return {
      text: write([]),
      narrowed: (label, value) => write([{ text: `${label}=${JSON.stringify(value)}`, means: `${label} = ${value}` }]),
    };
  }

  /** A query with a few characters changed, as a parser's enemy would. */
  mutated(): string {
    let { text } = this.next();
    const odd = [
      '"',
      "'",
      '`',
      '{',
      '}',
      '(',
      ')',
      '[',
      ']',
      '#',
      '\r',
      '\n',
      '\\',
      ',',
      '=',
      '~',
      '!',
      ':',
      '@',
      '\0',
    ];
    const words = [
      ' or up',
      ' or {tenant="t2"}',
      '\u00a0',
      '\ufffd',
      'é',
      '\u2028',
      '\\x22',
      '\\',
      ' offset ',
      'by',
      '#\r',
    ];
    for (let times = 1 + this.#random.below(3); times > 0; times--) {
      const at = this.#random.below(text.length + 1);
      const removed = this.#random.chance(0.5) ? 0 : 1 + this.#random.below(4);
      const put = this.#random.pick([...odd, ...words, '', text.slice(at, at + this.#random.below(20))]);
      text = text.slice(0, at) + put + text.slice(at + removed);
    }
    return text;
  }

  #vector(depth: number): void {
    const random = this.#random;
    if (depth === 0 || random.chance(0.15)) {
      this.#selector();
      this.#shift();
      return;
    }
    const ways: (() => void)[] = [
      () => {
        this.#call(random.pick(OVER_VECTOR), () => {
          this.#vector(depth - 1);
        });
      },
      () => {
        this.#call(random.pick(OVER_RANGE), () => {
          this.#range(depth - 1);
        });
      },
      () => {
        this.#aggregation(depth);
      },
      () => {
        this.#aggregation(depth);
      },
      () => {
        this.#binary(depth);
      },
      () => {
        this.#binary(depth);
      },
      () => {
        this.#labelFunction(depth);
      },
      () => {
        this.#histogram();
      },
      () => {
        this.#put(random.pick(['-', '+', '- ']));
        this.#vector(depth - 1);
      },
      () => {
        this.#put('(');
        this.#vector(depth - 1);
        this.#put(')');
      },
      () => {
        this.#call('absent', () => {
          this.#vector(depth - 1);
        });
      },
      () => {
        this.#call('vector', () => {
          this.#scalar(depth - 1);
        });
      },
    ];
    random.pick(ways)();
  }

  #scalar(depth: number): void {
    const random = this.#random;
    if (depth > 0 && random.chance(0.3)) {
      this.#call('scalar', () => {
        this.#vector(depth - 1);
      });
    } else {
      this.#put(random.pick(['1', '2.5', '-3', '0x1F', '1e2', '.5', 'time()', 'pi()', '(1 + 2)', 'Inf', 'NaN', '- 7']));
    }
  }

  #range(depth: number): void {
    const random = this.#random;
    if (depth > 0 && random.chance(0.3)) {
      this.#put('(');
      this.#vector(depth - 1);
      this.#put(`)[${random.pick(DURATIONS)}${random.pick([':', ' : '])}${random.pick(['', '30s', '1m'])}]`);
    } else {
      this.#selector();
      this.#put(
        `${random.pick(['', ' '])}[${random.pick(['', ' '])}${random.pick(DURATIONS)}${random.pick(['', ' '])}]`,
      );
    }
    this.#shift();
  }

  #shift(): void {
    const random = this.#random;
    if (random.chance(0.2))
      this.#put(` ${random.pick(['offset', 'OFFSET'])} ${random.pick(['', '-'])}${random.pick(DURATIONS)}`);
    if (random.chance(0.1))
      this.#put(random.pick([' @ start()', ' @ end ( )', '@1700000300', ' @ 1700000120.5', ' @ START()']));
  }

  #aggregation(depth: number): void {
    const random = this.#random;
    const [name, parameter] = random.pick<readonly [string, string | null]>([
      ...AGGREGATIONS.map((one) => [one, null] as const),
      ['topk', '2'],
      ['bottomk', '1'],
      ['quantile', '0.5'],
      ['count_values', quoteInSomeWay(random.pick(['tenant', 'value', 'job']), random)],
      ...(this.#words.newest
        ? ([
            ['limitk', '2'],
            ['limit_ratio', '0.5'],
          ] as const)
        : []),
    ]);
    const grouping = random.chance(0.5)
      ? `${random.pick(['by', 'without', 'BY'])} (${this.#labelNames().join(', ')})`
      : '';
    const before = random.chance(0.5);
    this.#put(`${name} ${before ? `${grouping} ` : ''}(`);
    if (parameter !== null) this.#put(`${parameter},`);
    // Which of equals they take, or of how many, hangs on the order of a hash table: only of series themselves.
    if (/^(?:topk|bottomk|limit)/.test(name)) this.#selector();
    else this.#vector(depth - 1);
    this.#put(`)${before ? '' : ` ${grouping}`}`);
  }

  #binary(depth: number): void {
    const random = this.#random;
    const kind = random.pick(['scalar', 'arithmetic', 'comparison', 'set', 'set']);
    const matching = random.chance(0.4)
      ? ` ${random.pick(['on', 'ignoring', 'ON'])} (${this.#labelNames().join(',')})`
      : '';
    // A parenthesis after a bare group_left is a list of labels.
    let bare = false;
    this.#vector(depth - 1);
    this.#gap();
    if (kind === 'set') this.#put(`${random.pick(SETS)}${matching}`);
    else if (kind === 'comparison') this.#put(`${random.pick(COMPARISONS)}${random.pick(['', ' bool'])}${matching}`);
    else {
      const grouped = matching !== '' && kind === 'arithmetic' && random.chance(0.5);
      bare = grouped && random.chance(0.3);
      const labels = bare ? '' : random.pick([' ()', ' (zone)', '(zone,)']);
      const group = grouped ? ` ${random.pick(['group_left', 'group_right'])}${labels}` : '';
      this.#put(random.pick(ARITHMETIC) + (kind === 'scalar' ? '' : matching + group));
    }
    this.#gap();
    if (kind === 'scalar') this.#scalar(depth - 1);
    else if (bare) this.#selector();
    else this.#vector(depth - 1);
  }

  #labelFunction(depth: number): void {
    const random = this.#random;
    const label = () => quoteInSomeWay(random.pick([...Object.keys(this.#words.labels), 'tenant', 'fresh']), random);
    if (random.chance(0.6)) {
      const [replacement, regex] = random.pick([
        ['$1', '(.*)'],
        ['t2', '.*'],
        ['x"}', '.+'],
        ['$1-{tenant="t2"}', '(.).*'],
      ]);
      this.#call('label_replace', () => {
        this.#vector(depth - 1);
        this.#put(`,${label()},${quoteInSomeWay(replacement, random)}, ${label()} ,${quoteInSomeWay(regex, random)}`);
      });
    } else {
      this.#call('label_join', () => {
        this.#vector(depth - 1);
        this.#put(`,${label()},${quoteInSomeWay(random.pick(['-', '#', '\n']), random)},${label()},${label()}`);
      });
    }
  }

  #histogram(): void {
    const random = this.#random;
    this.#put(
      `histogram_quantile(${random.pick(['0.5', '0.9', '1'])}, sum by (le${random.pick(['', ', job', ', tenant'])}) (rate(`,
    );
    this.#selector(random.pick(this.#words.histograms));
    this.#put(`[${random.pick(DURATIONS)}])))`);
  }

  #selector(metric = this.#random.pick(this.#words.metrics)): void {
    const random = this.#random;
    const matchers = this.#matchers(random.below(3));
    const nameless = random.chance(0.2);
    if (nameless) {
      const quoted = quoteInSomeWay(metric, random);
      const alone = this.#words.newest && random.chance(0.4);
      const text = alone ? quoted : `__name__${random.pick(['=', '=~', ' = '])}${quoted}`;
      matchers.unshift({ text, means: metric });
    }
    this.#holes.push({ before: this.#text, name: nameless ? '' : metric, matchers });
    this.#text = '';
  }

  #matchers(count: number): Said[] {
    const random = this.#random;
    return Array.from({ length: count }, () => {
      const label = random.pick(Object.keys(this.#words.labels));
      const value = random.pick([...(this.#words.labels[label] ?? []), 't2', '', 'nothing']);
      const written = this.#words.newest && random.chance(0.1) ? `"${label}"` : label;
      const operator = random.pick(['=', '=', '!=', '=~', '!~']);
      const text = operator.includes('~')
        ? random.pick(['.*', '.+', `${escapeRegex(value)}`, `(?i:${escapeRegex(value)})|x`, 't2|t1'])
        : value;
      const [before, after] = [random.pick(['', '', ' ', '\n', '# {\n']), random.pick(['', '', ' ', '#}"\r'])];
      return {
        text: `${before}${written}${after}${operator}${random.pick(['', ' '])}${quoteInSomeWay(text, random)}`,
        means: `${label} ${operator} ${text}`,
      };
    });
  }

  #labelNames(): string[] {
    const names = [...Object.keys(this.#words.labels), 'le'];
    return Array.from({ length: this.#random.below(3) }, () => this.#random.pick(names));
  }

  #call(name: string, inside: () => void): void {
    this.#put(`${name}${this.#random.pick(['', '', ' '])}(`);
    inside();
    this.#put(')');
  }

  #gap(): void {
    this.#put(this.#random.pick([' ', ' ', '  ', '\n', '\t', ' # or up{tenant="t2"}\n', ' #"\r', '\r\n']));
  }

  #put(text: string): void {
    this.#text += text;
  }
}

function escapeRegex(value: string): string {
  return value.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&');
}
