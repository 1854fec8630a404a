/** The listener for http-01: open only while a challenge is pending, and a server of nothing but answers. */
import { once } from 'node:events';
import { createServer, connect, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { PromgateError } from '../../../../src/lib/errors.ts';
import { bindFailure, createHttpListener } from '../../../../src/tls/acme/challenges/http-listener.ts';
import type { Challenge } from '../../../../src/tls/acme/contract.ts';
import { freePort } from '../../../support/free-port.ts';
import { rawExchange } from './raw-exchange.ts';

const challenge = (token: string): Challenge => ({
  type: 'http-01',
  identifier: 'a.example.com',
  token,
  keyAuthorization: `${token}.thumbprint`,
});
const removals: (() => Promise<void>)[] = [];
const servers: Server[] = [];
afterEach(async () => {
  for (const remove of removals.splice(0)) await remove();
  for (const server of servers.splice(0)) {
    server.close();
    await once(server, 'close');
  }
});

const get = async (port: number, path: string, init: RequestInit = {}): Promise<{ status: number; body: string }> => {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { ...init, signal: AbortSignal.timeout(5_000) });
  return { status: response.status, body: await response.text() };
};
const isOpen = async (port: number): Promise<boolean> => {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
};

describe('the http-01 listener', () => {
  it('is open while a challenge is pending, and closed before and after', async () => {
    const port = await freePort();
    const listener = createHttpListener(`127.0.0.1:${port}`);
    expect(await isOpen(port)).toBe(false);
    const remove = await listener.present(challenge('tok-1'));
    expect(listener.address()).toEqual({ host: '127.0.0.1', port });
    expect(await get(port, '/.well-known/acme-challenge/tok-1')).toEqual({ status: 200, body: 'tok-1.thumbprint' });
    await remove();
    await remove();
    expect(listener.address()).toBeNull();
    expect(await isOpen(port)).toBe(false);
  });

  it('is shared by several challenges, of which each ends alone', async () => {
    const port = await freePort();
    const listener = createHttpListener(`127.0.0.1:${port}`);
    const [first, second] = await Promise.all([listener.present(challenge('one')), listener.present(challenge('two'))]);
    removals.push(second);
    await first();
    expect((await get(port, '/.well-known/acme-challenge/one')).status).toBe(404);
    expect((await get(port, '/.well-known/acme-challenge/two')).status).toBe(200);
  });

  it('opens again for the next challenge', async () => {
    const port = await freePort();
    const listener = createHttpListener(`127.0.0.1:${port}`);
    for (const token of ['a', 'b', 'c']) {
      const remove = await listener.present(challenge(token));
      expect((await get(port, `/.well-known/acme-challenge/${token}`)).status).toBe(200);
      await remove();
    }
  });

  it('knows exact paths and nothing else', async () => {
    const port = await freePort();
    removals.push(await createHttpListener(`127.0.0.1:${port}`).present(challenge('tok')));
    for (const path of [
      '/',
      '/.well-known/acme-challenge/',
      '/.well-known/acme-challenge/tok/',
      '/.well-known/acme-challenge/tok?x=1',
      '/.well-known/acme-challenge/TOK',
      '/.well-known/acme-challenge/%74ok',
      '/metrics',
    ]) {
      expect([path, (await get(port, path)).status]).toEqual([path, 404]);
    }
    expect((await get(port, '/.well-known/acme-challenge/tok', { method: 'POST', body: 'x' })).status).toBe(404);
    expect(await rawExchange(port, 'GET /__proto__ HTTP/1.1\r\nHost: a\r\n\r\n')).toMatch(/^HTTP\/1.1 404 /);
  });

  it('listens on IPv6 and IPv4 when no host is given', async () => {
    const port = await freePort();
    removals.push(await createHttpListener(`:${port}`).present(challenge('tok')));
    expect((await get(port, '/.well-known/acme-challenge/tok')).status).toBe(200);
    const response = await fetch(`http://[::1]:${port}/.well-known/acme-challenge/tok`);
    expect(await response.text()).toBe('tok.thumbprint');
  });

  it('says who may help when the port is taken, and works once it is free', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const listener = createHttpListener(`127.0.0.1:${port}`);
    const error = await listener.present(challenge('tok')).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'PORT_TAKEN' });
    expect((error as PromgateError).hint).toContain('webroot');
    other.close();
    await once(other, 'close');
    removals.push(await listener.present(challenge('tok')));
    expect((await get(port, '/.well-known/acme-challenge/tok')).status).toBe(200);
  });

  it('names the capability and the webroot when it may not open the port', () => {
    const failure = bindFailure(':80', Object.assign(new Error('listen'), { code: 'EACCES' }));
    expect(failure.code).toBe('LISTEN_FAILED');
    expect(failure.message).toBe('cannot listen on :80 for the http-01 challenge: EACCES');
    expect(failure.hint).toMatch(/CAP_NET_BIND_SERVICE.*webroot/);
  });

  it('fails for an address of another host', async () => {
    const presented = createHttpListener('192.0.2.1:80').present(challenge('tok'));
    await expect(presented).rejects.toMatchObject({ code: 'LISTEN_FAILED' });
  });

  it('cuts a client that sends no request', async () => {
    const port = await freePort();
    removals.push(await createHttpListener(`127.0.0.1:${port}`).present(challenge('tok')));
    const started = performance.now();
    expect(await rawExchange(port, 'GET / HTTP/1.1\r\nX-Slow: 1\r\n', 15_000)).not.toContain(' 200 ');
    expect(performance.now() - started).toBeLessThan(12_000);
  });
});
