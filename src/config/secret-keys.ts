/** Which keys have secret values: ours, and those that people put into the wrong file. A name too many does no harm. */

const WORD =
  '(?:[\\w.-]*[_.-])?(?:key|pass(?:word|wd|phrase)?|pwd|secret|token|credentials|api_?key)|basic[_-]?auth\\w*|authorization|headers';
const SECRET_KEY = new RegExp(`^(?:${WORD})$`, 'i');

/** Whether everything below this key is secret. */
export function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key);
}

/** Below these a name that ends so is that of a file, which a message names anyway. */
export function namesFile(parent: string, key: string): boolean {
  return /^(?:authorization|basic_auth)$/.test(parent) && key.endsWith('_file');
}

/** What stands before an `@` in the value of these keys may be a user with a password, in whatever spelling. */
export function namesUrl(key: string): boolean {
  return /(?:^|_)ur[li]$/i.test(key);
}

/** A secret key in text that is not parsed, with its colon: what follows the match is secret. */
export const SECRET_IN_TEXT = new RegExp(
  `(?:^|[\\s{,[?"'-])(?:(?:${WORD})["']?\\s*[:=]|\\?\\s*["']?(?:${WORD})["']?\\s*$)`,
  'i',
);
