/** Ways to write one text as a string of PromQL, by Go's rules: all three quotes, and escapes where nobody expects them. */
import type { Random } from './random.ts';

export function quoteInSomeWay(text: string, random: Random): string {
  const quote = random.pick(['"', '"', "'", '`']);
  if (quote === '`') {
    return /[`\ufffd]/.test(text) ? quoteInSomeWay(text, random) : `\`${text}\``;
  }
  const letters = Array.from(text, (letter) => {
    if (letter === quote || letter === '\\') return `\\${letter}`;
    if (letter === '\n') return '\\n';
    return letter === '\ufffd' || random.chance(0.05) ? escaped(letter, random) : letter;
  });
  return `${quote}${letters.join('')}${quote}`;
}

function escaped(letter: string, random: Random): string {
  const code = letter.codePointAt(0)!;
  const wide = `\\U${code.toString(16).padStart(8, '0')}`;
  const bytes = [...Buffer.from(letter)];
  const hex = bytes.map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
  const octal = bytes.map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
  return random.pick([wide, hex, octal, ...(code > 0xffff ? [] : [`\\u${code.toString(16).padStart(4, '0')}`])]);
}
