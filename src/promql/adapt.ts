/**
 * What Prometheus reads and its grammar for editors does not: the same in words of the grammar, letter by letter as long,
 * so that every place stays where it is. Strings are blanked out before.
 */
import { FUNCTIONS, OLDER_FUNCTIONS, REFUSED_FUNCTIONS, RESERVED_WORDS } from './language.ts';
import { fault } from './scan.ts';
import type { Fault } from './scan.ts';

export interface Adapted {
  readonly ok: true;
  readonly text: string;
  /** The names of functions that stand under another one in the text, by their place. */
  readonly renamed: ReadonlyMap<number, string>;
}

/** `1.` and `1.e5`. What is an error in Prometheus, too, stays: `1..5`, `1.a`. */
const TRAILING_DOT = /(?<![\w.:])(\d+)\.(?:([eE][+-]?)(\d+))?(?![\w.:])/g;
const CALLED = /(?<![\w.:])([a-zA-Z_:][\w:]*)[\t\n\r ]*\(/g;
/** Of one argument or many, the grammar does not count them. */
const STAND_IN = 'abs';

export function adapt(text: string): Adapted | Fault {
  const renamed = new Map<number, string>();
  let adapted = text.replace(TRAILING_DOT, (_all, digits: string, exponent?: string, power?: string) =>
    exponent === undefined || power === undefined ? `${digits} ` : `${digits}${exponent}0${power}`,
  );
  for (const { index, 1: name = '' } of adapted.matchAll(CALLED)) {
    if (FUNCTIONS.has(name) || REFUSED_FUNCTIONS.has(name) || RESERVED_WORDS.has(name.toLowerCase())) continue;
    if (!OLDER_FUNCTIONS.has(name)) return fault(`unknown function with name "${name.slice(0, LONGEST_NAME)}"`, index);
    renamed.set(index, name);
  }
  if (renamed.size > 0) {
    adapted = adapted.replace(CALLED, (call: string, name: string, at: number) =>
      renamed.has(at) ? STAND_IN.padEnd(name.length) + call.slice(name.length) : call,
    );
  }
  return { ok: true, text: adapted, renamed };
}

const LONGEST_NAME = 64;
