/** What a stranger typed, made safe for a log line or a terminal: cut, quoted, control and non-ASCII characters escaped. */

const LONGEST_BYTES = 64;

/** At most 64 bytes (UTF-8) of the text, as a JSON string of printable ASCII; `…` marks a cut. */
export function quoteForeign(text: string): string {
  return escapeNonPrintable(JSON.stringify(cut(text)));
}

function cut(text: string): string {
  // Sliced first: nobody may make us encode a megabyte to keep 64 bytes of it.
  const head = text.slice(0, LONGEST_BYTES);
  const bytes = Buffer.from(head, 'utf8');
  if (head.length === text.length && bytes.length <= LONGEST_BYTES) return text;
  // A character that the cut goes through is left out.
  return `${bytes
    .subarray(0, LONGEST_BYTES)
    .toString('utf8')
    .replace(/\uFFFD+$/, '')}…`;
}

/** Escapes everything outside printable ASCII, so that no terminal acts on it and no line is forged. */
export function escapeNonPrintable(text: string): string {
  return text.replace(/[^\x20-\x7e…]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
