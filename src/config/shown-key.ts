/**
 * Which unknown keys are named in a message. In a file that is broken a password may stand where a key belongs: only
 * what is plainly a word of somebody's configuration is repeated.
 */
import { didYouMean } from '../formats/suggest.ts';
import { schemaKeys } from './schema-keys.ts';

const WORD = /^[a-z]{1,24}(?:[_-][a-z]{1,24}){0,5}$/;
/** Below `headers`. */
const HEADER = /^[A-Z][A-Za-z]{0,23}(?:-[A-Za-z]{1,24}){0,5}$/;

const known: ReadonlySet<string> = new Set(schemaKeys().flatMap(({ path }) => path.slice(-1)));

/** Whether a key of this name stands somewhere in the schema. */
export function isKnownSomewhere(key: string): boolean {
  return known.has(key);
}

/** @param isValue whether the key has no colon behind it, as in `{hunter2}`. */
export function isShownKey(key: string, parent: string | number | undefined, isValue: boolean): boolean {
  if (known.has(key)) return true;
  if (isValue) return false;
  if (WORD.test(key) || (parent === 'headers' && HEADER.test(key))) return true;
  return /^[A-Za-z][\w.-]*$/.test(key) && didYouMean(key, known) !== null;
}
