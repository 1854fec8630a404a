/**
 * A header's name as a CGI-like upstream reads it (RFC 3875 §4.1.18 and what servers make of it): `X.Promgate_User` is
 * `X-Promgate-User` to many. The one reading for what is refused in a configuration and what is dropped from a request.
 * @param name in lower case.
 */
export function headerNameAsRead(name: string): string {
  return name.replace(/[^a-z0-9]/g, '-');
}
