/**
 * Regular expressions of strangers, by an engine with RE2's semantics that takes time linear in the text. Never
 * JavaScript's own, which a pattern of nine letters can keep busy for ever.
 */
import { RE2JS } from 're2js';
import { parsed, unparsed } from '../lib/problem.ts';
import type { Parsed } from '../lib/problem.ts';
import { regexCost } from './regex-cost.ts';

/** What may still be spent on compiling, in the instructions of regex-cost.ts. */
export interface RegexBudget {
  left: number;
}

/** Enough for a selector: some hundred alternatives with wildcards; about 20 ms. */
const COST_OF_A_SELECTOR = 4_096;
const LONGEST_PATTERN = 65_536;
const METACHARACTER = /[\\.+*?()|[\]{}^$]/;
/** RE2 takes a backslash before any of them for a quotation. */
// eslint-disable-next-line no-control-regex
const QUOTABLE = /^[\x00-\x7f]$/;
const WORD = /[a-zA-Z0-9]/;

export function regexBudget(left = COST_OF_A_SELECTOR): RegexBudget {
  return { left };
}

/**
 * A test of whole texts, as Prometheus 3 matches labels: anchored at both ends, the dot matches a line feed
 * (FastRegexMatcher: `^(?s:…)$`). Lists of plain values cost nothing, whatever their length.
 * @param budget what it costs is taken off; a regular expression that costs more than is left is refused uncompiled
 */
export function compileRegex(pattern: string, budget: RegexBudget): Parsed<(text: string) => boolean> {
  if (pattern.length > LONGEST_PATTERN) {
    return unparsed(`a regular expression of more than ${String(LONGEST_PATTERN)} characters`);
  }
  if (hasManyUnclosed(pattern)) return unparsed(`not a regular expression of RE2: ${JSON.stringify(pattern)}`);
  const values = literalsOf(pattern);
  if (values !== null) return parsed((text) => values.has(text));
  budget.left -= regexCost(pattern);
  if (budget.left < 0) return unparsed('regular expressions that are too large');
  try {
    const regex = RE2JS.compile(pattern, RE2JS.DOTALL);
    return parsed((text) => regex.testExact(text));
  } catch {
    return unparsed(`not a regular expression of RE2: ${JSON.stringify(pattern)}`);
  }
}

/** `[:` behind the last `:]`: for each of them the reader of costs and the engine look for a `:]` up to the end. */
const MOST_UNCLOSED = 100;

function hasManyUnclosed(pattern: string): boolean {
  return pattern.slice(pattern.lastIndexOf(':]') + 1).split('[:', MOST_UNCLOSED + 2).length > MOST_UNCLOSED + 1;
}

/** The values of a pattern that is a list of plain ones (`a|b\.c`); null: it is something else. */
function literalsOf(pattern: string): ReadonlySet<string> | null {
  const values = new Set<string>();
  let value = '';
  for (let at = 0; at < pattern.length; at++) {
    let letter = pattern.charAt(at);
    if (letter === '|') {
      values.add(value);
      value = '';
      continue;
    }
    if (letter === '\\') {
      letter = pattern.charAt(++at);
      if (!QUOTABLE.test(letter) || WORD.test(letter)) return null;
    } else if (METACHARACTER.test(letter)) {
      return null;
    }
    value += letter;
  }
  return values.add(value);
}
