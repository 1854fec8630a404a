import { describe, expect, it } from 'vitest';
import { failureOf, ForwardError, isConnectionDeath } from '../../../src/request/forward/failures.ts';

const withCode = (code: string, message = 'it failed'): Error => Object.assign(new Error(message), { code });

describe('a failure on the way to an upstream', () => {
  it.each([
    ['ECONNREFUSED', false, 'upstream_unreachable'],
    ['ENOTFOUND', false, 'upstream_unreachable'],
    ['ENOENT', false, 'upstream_unreachable'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', false, 'upstream_unreachable'],
    ['SELF_SIGNED_CERT_IN_CHAIN', false, 'upstream_unreachable'],
    ['ECONNRESET', false, 'upstream_unreachable'],
    ['UND_ERR_CONNECT_TIMEOUT', false, 'upstream_timeout'],
    ['UND_ERR_HEADERS_TIMEOUT', true, 'upstream_timeout'],
    ['ECONNRESET', true, 'upstream_failed'],
    ['UND_ERR_SOCKET', true, 'upstream_failed'],
    ['HPE_INVALID_CONSTANT', true, 'upstream_failed'],
    ['UND_ERR_INVALID_ARG', false, 'bad_header'],
    ['UND_ERR_REQ_CONTENT_LENGTH_MISMATCH', true, 'bad_framing'],
  ])('%s (connected: %s) is %s', (code, connected, reason) => {
    expect(failureOf(withCode(code), connected)).toEqual({ reason, detail: `${code}: it failed` });
  });

  it('keeps the reason that the request body gave', () => {
    const error = new ForwardError('body_too_large', 'more than 5 bytes');
    expect(failureOf(error, true)).toEqual({ reason: 'body_too_large', detail: 'more than 5 bytes' });
  });

  it('says its code once', () => {
    expect(failureOf(withCode('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:1'), false).detail).toBe(
      'connect ECONNREFUSED 127.0.0.1:1',
    );
  });

  it('is the death of a connection for a reset, a broken pipe and a closed socket alone', () => {
    expect(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'].every((code) => isConnectionDeath(withCode(code)))).toBe(true);
    expect(['UND_ERR_HEADERS_TIMEOUT', 'ECONNREFUSED'].some((code) => isConnectionDeath(withCode(code)))).toBe(false);
    expect(isConnectionDeath(new Error('no code'))).toBe(false);
  });
});
