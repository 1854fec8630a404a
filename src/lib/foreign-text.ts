/** What a stranger typed, made safe for a log line or a terminal: cut, quoted, control and non-ASCII characters escaped. */

const LONGEST = 64;

/** At most 64 characters of the text, as a JSON string of printable ASCII; `…` marks a cut. */
export function quoteForeign(text: string): string {
  const cut = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  return escapeNonPrintable(JSON.stringify(cut));
}

/** Escapes everything outside printable ASCII, so that no terminal acts on it and no line is forged. */
export function escapeNonPrintable(text: string): string {
  return text.replace(/[^\x20-\x7e…]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
