/** Tokens of challenges (RFC 8555 §8.1): base64url, and nothing else gets near a path. Pure. */

const TOKEN = /^[A-Za-z0-9_-]{1,256}$/;

export function isToken(text: string): boolean {
  return TOKEN.test(text);
}
