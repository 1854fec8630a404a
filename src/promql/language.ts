/**
 * The closed list of PromQL that may be asked under a restriction: data. Every entry reads nothing but what its arguments
 * select. What a newer Prometheus adds is refused until it is here.
 */

/** The label that holds the metric's name. */
export const METRIC_NAME_LABEL = '__name__';

/** Functions of Prometheus 2.42 to 3.14 that the grammar knows, but for those of REFUSED_FUNCTIONS. */
export const FUNCTIONS: ReadonlySet<string> = new Set(
  `abs absent absent_over_time acos acosh asin asinh atan atanh avg_over_time ceil changes clamp clamp_max clamp_min cos
  cosh count_over_time day_of_month day_of_week day_of_year days_in_month deg delta deriv double_exponential_smoothing end exp
  first_over_time floor histogram_avg histogram_count histogram_fraction histogram_quantile histogram_quantiles
  histogram_stddev histogram_stdvar histogram_sum hour idelta increase irate label_join label_replace last_over_time ln log10 log2 mad_over_time
  max_over_time min_over_time minute month pi predict_linear present_over_time quantile_over_time rad range rate resets round
  scalar sgn sin sinh sort sort_by_label sort_by_label_desc sort_desc sqrt start start_timestamp stddev_over_time stdvar_over_time
  step sum_over_time tan tanh time timestamp ts_of_first_over_time ts_of_max_over_time ts_of_min_over_time ts_of_last_over_time vector year`.split(
    /\s+/,
  ),
);

/** Of Prometheus 2 only: 3.0 calls it double_exponential_smoothing. The grammar does not know it any more. */
export const OLDER_FUNCTIONS: ReadonlySet<string> = new Set(['holt_winters']);

/** `info()` selects `target_info` by itself. */
export const REFUSED_FUNCTIONS: ReadonlySet<string> = new Set(['info']);

/** Aggregations; not case-sensitive. */
export const AGGREGATIONS: ReadonlySet<string> = new Set(
  `avg bottomk count count_values group limit_ratio limitk max min quantile stddev stdvar sum topk`.split(' '),
);

/** Words that mean something else than a metric somewhere; not case-sensitive. */
export const RESERVED_WORDS: ReadonlySet<string> = new Set([
  ...AGGREGATIONS,
  ...`and or unless atan2 offset by without on ignoring group_left group_right bool start end step range inf nan
  smoothed anchored fill fill_left fill_right min_of max_of`.split(/\s+/),
  // The grammar's table of keywords is a JavaScript object and inherits these: it has no metric of such a name.
  'constructor',
  '__proto__',
]);

/** Nodes of the grammar that are always the same text. */
export const SYMBOLS: Readonly<Record<string, string>> = {
  Add: '+',
  And: 'and',
  At: '@',
  Atan2: 'atan2',
  AtEnd: 'end',
  AtStart: 'start',
  Bool: 'bool',
  By: 'by',
  Div: '/',
  Eql: '==',
  GroupLeft: 'group_left',
  GroupRight: 'group_right',
  Gte: '>=',
  Gtr: '>',
  Ignoring: 'ignoring',
  Lss: '<',
  Lte: '<=',
  Mod: '%',
  Mul: '*',
  Neq: '!=',
  Offset: 'offset',
  On: 'on',
  Or: 'or',
  Pow: '^',
  Sub: '-',
  Unless: 'unless',
  Without: 'without',
};
