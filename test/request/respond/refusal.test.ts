import { describe, expect, it } from 'vitest';
import { DENY_REASON_NAMES, DENY_REASONS } from '../../../src/request/deny-reasons.ts';
import { rawRefusal, renderRefusal } from '../../../src/request/respond/refusal.ts';
import { configOf } from '../../support/config-fixture.ts';

const REQUEST = { id: 'r1', path: '/metrics' };
const API = { id: 'r1', path: '/site/api/v1/query' };
const passwords = configOf({ authenticate: 'password' });

describe('a refusal', () => {
  it.each(DENY_REASON_NAMES)('for %s says no more than its public text and the request id', (reason) => {
    const { status, headers, body } = renderRefusal(passwords, REQUEST, reason, { detail: 'secret detail' });
    const row = DENY_REASONS[reason];
    expect(status).toBe(row.status ?? 400);
    expect(body.toString()).toBe(`${row.public || 'bad request'} (request r1)\n`);
    expect(headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'content-length': String(body.length),
      'x-request-id': 'r1',
      'cache-control': 'no-store',
    });
    expect(JSON.stringify(headers)).not.toContain('secret');
  });

  it.each([
    ['credentials_wrong', 'unauthorized'],
    ['identity_path', 'forbidden'],
    ['path_unknown', 'not_found'],
    ['bad_target', 'bad_data'],
    ['body_too_large', 'bad_data'],
    ['locked_out', 'too_many_requests'],
    ['internal_error', 'internal'],
    ['upstream_failed', 'unavailable'],
    ['upstream_busy', 'unavailable'],
    ['upstream_timeout', 'timeout'],
  ] as const)('for %s to an API path is Prometheus JSON with the type %s', (reason, errorType) => {
    const { headers, body } = renderRefusal(passwords, API, reason);
    expect(headers['content-type']).toBe('application/json');
    const error = `${DENY_REASONS[reason].public} (request r1)`;
    expect(JSON.parse(body.toString())).toEqual({ status: 'error', errorType, error });
  });

  it.each([
    ['password', true],
    ['either', true],
    ['both', true],
    ['certificate', false],
    ['none', false],
  ] as const)('with 401 under authenticate %s names the realm: %s', (authenticate, named) => {
    const { headers } = renderRefusal(configOf({ authenticate }), REQUEST, 'credentials_missing');
    expect(headers['www-authenticate']).toBe(named ? 'Basic realm="promgate", charset="UTF-8"' : undefined);
    expect(renderRefusal(passwords, REQUEST, 'identity_path').headers).not.toHaveProperty('www-authenticate');
  });

  it('with 405 lists the methods, with 429 and 503 says when to come again', () => {
    const of = (...argv: [Parameters<typeof renderRefusal>[2], Parameters<typeof renderRefusal>[3]]) =>
      renderRefusal(passwords, REQUEST, ...argv).headers;
    expect(of('method_not_allowed', { allow: ['GET', 'POST'] })['allow']).toBe('GET, POST');
    expect(of('locked_out', { retryAfterSeconds: 12.3 })['retry-after']).toBe('13');
    expect(of('locked_out', { retryAfterSeconds: 0 })['retry-after']).toBe('1');
    expect(of('rate_limited', {})['retry-after']).toBe('60');
    expect(of('upstream_busy', {})['retry-after']).toBe('5');
    expect(of('upstream_failed', { retryAfterSeconds: 9 })).not.toHaveProperty('retry-after');
  });
});

describe('a raw refusal', () => {
  it('is a whole HTTP/1.1 answer with the configured headers, that closes', () => {
    const config = configOf({ headers: { 'x-frame-options': 'deny' } });
    const text = rawRefusal(config, 'headers_too_large').toString('latin1');
    const [head = '', body = ''] = text.split('\r\n\r\n');
    const [line, ...headers] = head.split('\r\n');
    expect(line).toBe('HTTP/1.1 431 Request Header Fields Too Large');
    expect(headers).toContain('connection: close');
    expect(headers).toContain('x-frame-options: deny');
    expect(headers).toContain(`content-length: ${String(body.length)}`);
    expect(body).toBe('request header fields too large (request -)\n');
  });
});
