/**
 * Changes the lines of one user in the text of an htpasswd file; every other byte stays. The text is Latin-1 decoded,
 * so that bytes which are not UTF-8 survive. Pure.
 */

const BYTE_ORDER_MARK = '\u00ef\u00bb\u00bf';

/** How a UTF-8 string looks in Latin-1 decoded text. */
export function asLatin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** What is done to a user's lines: `replace` leaves one line, `keepOld` adds one below them. */
export type Addition = 'replace' | 'keepOld';

/**
 * Gives a user a password. A first line keeps its place, its line ending and what comes after the hash (nginx's
 * comment field).
 * @returns the new text, and how many lines the user had before.
 */
export function addUser(
  text: string,
  user: string,
  hash: string,
  addition: Addition,
): { readonly text: string; readonly before: number } {
  const lines = splitLines(text);
  const own = indexesOf(lines, user);
  const [first] = own;
  const last = own.at(-1);
  if (first === undefined || last === undefined) {
    return { text: appendLine(lines, `${asLatin1(user)}:${hash}`), before: 0 };
  }
  if (addition === 'keepOld') {
    const kept = lines.slice(0, last + 1);
    const added = appendLine(kept, `${asLatin1(user)}:${hash}`, lineEnding(lines));
    return { text: added + lines.slice(last + 1).join(''), before: own.length };
  }
  const rest = lines.filter((_, index) => index === first || !own.includes(index));
  rest[first] = withHash(rest[first] ?? '', user, hash);
  return { text: rest.join(''), before: own.length };
}

/** @returns the text without the user's lines, and how many there were. */
export function removeUser(text: string, user: string): { readonly text: string; readonly before: number } {
  const lines = splitLines(text);
  const own = indexesOf(lines, user);
  const kept = lines.filter((_, index) => !own.includes(index));
  const mark = own.includes(0) && text.startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK : '';
  return { text: mark + kept.join(''), before: own.length };
}

/** Each line with its ending; the last may have none. */
function splitLines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function indexesOf(lines: readonly string[], user: string): number[] {
  const prefix = `${asLatin1(user)}:`;
  return lines.flatMap((line, index) => (withoutMark(line, index).startsWith(prefix) ? [index] : []));
}

function withoutMark(line: string, index: number): string {
  return index === 0 && line.startsWith(BYTE_ORDER_MARK) ? line.slice(BYTE_ORDER_MARK.length) : line;
}

function withHash(line: string, user: string, hash: string): string {
  const mark = line.startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK : '';
  const prefix = `${mark}${asLatin1(user)}:`;
  return prefix + line.slice(prefix.length).replace(/^[^:\r\n]*/, () => hash);
}

/** As the last line of the file has it, else as the system does. */
function lineEnding(lines: readonly string[]): string {
  return lines.some((line) => line.endsWith('\r\n')) ? '\r\n' : '\n';
}

function appendLine(lines: readonly string[], line: string, ending = lineEnding(lines)): string {
  const text = lines.join('');
  const complete = text === '' || text === BYTE_ORDER_MARK || text.endsWith('\n');
  return `${text}${complete ? '' : ending}${line}${ending}`;
}
