/** What a stranger typed, made safe for a log line or a terminal: cut, control and non-ASCII characters escaped. */

const LONGEST_BYTES = 64;

/**
 * At most 64 bytes (UTF-8) of the text in printable ASCII, for a field of the log, whose formats quote by themselves.
 * A backslash always begins an escape (`\\`, `\n`, `\u001b`), and `…` at the end is a cut: no two texts look alike.
 */
export function escapeForeign(text: string): string {
  const head = firstBytes(text);
  const shown = head.replace(/\\|[^\x20-\x7e]/g, (character) => SHORT_ESCAPES[character] ?? codeEscape(character));
  return head.length < text.length ? `${shown}…` : shown;
}

/** The same in double quotes, for a sentence on a terminal or inside a detail. */
export function quoteForeign(text: string): string {
  return `"${escapeForeign(text).replaceAll('"', '\\"')}"`;
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function codeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** As much of the text as fits; a character that the limit goes through is left out. */
function firstBytes(text: string): string {
  // Sliced first: nobody may make us encode a megabyte to keep 64 bytes of it.
  const head = text.slice(0, LONGEST_BYTES);
  let kept = head;
  while (Buffer.byteLength(kept, 'utf8') > LONGEST_BYTES) kept = kept.slice(0, -1);
  return kept.length < text.length ? kept.replace(/[\uD800-\uDBFF]$/, '') : kept;
}

/** Escapes everything outside printable ASCII, so that no terminal acts on it and no line is forged. */
export function escapeNonPrintable(text: string): string {
  return text.replace(/[^\x20-\x7e…]/g, codeEscape);
}
