/** The base64 of crypt(3): alphabet `./0-9A-Za-z`, least significant bits first, over digest bytes in a shuffled order. */

const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * Encodes a digest.
 * @param groups per group of characters the indices of its bytes, most significant first; three bytes make four
 *   characters, two make three, one makes two.
 */
export function cryptBase64(digest: Uint8Array, groups: readonly (readonly number[])[]): string {
  let text = '';
  for (const group of groups) {
    let value = 0;
    for (const index of group) value = (value << 8) | (digest[index] ?? 0);
    for (let character = 0; character <= group.length; character++) {
      text += ALPHABET.charAt(value & 0x3f);
      value >>>= 6;
    }
  }
  return text;
}
