import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { configOf, tlsOf } from '../support/config-fixture.ts';
import { ask, sendRaw, startAdmin, type AdminChanges, type AdminFixture } from './admin-fixture.ts';

const open: AdminFixture[] = [];

async function start(changes?: AdminChanges): Promise<AdminFixture> {
  const fixture = await startAdmin(changes);
  open.push(fixture);
  return fixture;
}

afterEach(async () => {
  for (const { admin } of open.splice(0)) await admin.close();
});

describe('GET /metrics', () => {
  it('answers with the text format, never cached', async () => {
    const { ask } = await start();
    const { status, headers, body } = await ask('/metrics');
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(headers['cache-control']).toBe('no-store');
    expect(body).toContain('promgate_build_info{version="1.2.3",node_version="v20"} 1');
  });

  it('answers with gzip to who accepts it', async () => {
    const { ask } = await start();
    const { headers, raw } = await ask('/metrics', { headers: { 'accept-encoding': 'gzip' } });
    expect(headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(raw).toString()).toContain('promgate_build_info');
  });

  it('answers HEAD without a body', async () => {
    const { ask } = await start();
    const { status, headers, body } = await ask('/metrics', { method: 'HEAD' });
    expect([status, body]).toEqual([200, '']);
    expect(Number(headers['content-length'])).toBeGreaterThan(1000);
  });
});

describe('health', () => {
  it('is 200 while the process answers, also when it is not ready', async () => {
    const { ask } = await start({ ready: () => ({ ready: false, reasons: ['draining'] }) });
    expect(await ask('/-/healthy')).toMatchObject({ status: 200, body: 'promgate is healthy\n' });
  });

  it('is 503 with the reasons when the gate is not ready', async () => {
    const { ask } = await start({ ready: () => ({ ready: false, reasons: ['draining', 'no certificate'] }) });
    expect(await ask('/-/ready')).toMatchObject({ status: 503, body: 'not ready: draining; no certificate\n' });
  });

  it('is 200 when the gate is ready', async () => {
    const { ask } = await start();
    expect(await ask('/-/ready')).toMatchObject({ status: 200, body: 'promgate is ready\n' });
  });
});

describe('POST /-/reload', () => {
  it('answers 200 when the new state runs, with its warnings', async () => {
    const { ask } = await start({ reload: async () => ({ ok: true, report: 'promgate.yml:1:1: warning: x' }) });
    expect(await ask('/-/reload', { method: 'POST' })).toMatchObject({
      status: 200,
      body: 'promgate.yml:1:1: warning: x\n',
    });
  });

  it('answers 400 with the problems when the old state was kept', async () => {
    const { ask } = await start({ reload: async () => ({ ok: false, report: 'promgate.yml:1:1: error: x\n' }) });
    expect(await ask('/-/reload', { method: 'POST' })).toMatchObject({
      status: 400,
      body: 'promgate.yml:1:1: error: x\n',
    });
  });

  it('answers 409 while another reload runs, and 200 after it', async () => {
    let end: () => void = () => undefined;
    let calls = 0;
    const { ask } = await start({
      reload: () => {
        calls += 1;
        return new Promise((resolve) => {
          end = () => {
            resolve({ ok: true, report: 'done' });
          };
          if (calls > 1) end();
        });
      },
    });
    const first = ask('/-/reload', { method: 'POST' });
    await expect.poll(() => calls).toBe(1);
    expect(await ask('/-/reload', { method: 'POST' })).toMatchObject({ status: 409, headers: { 'retry-after': '1' } });
    end();
    expect(await first).toMatchObject({ status: 200, body: 'done\n' });
    expect(await ask('/-/reload', { method: 'POST' })).toMatchObject({ status: 200 });
    expect(calls).toBe(2);
  });

  it('answers 500 without the cause when the reload breaks, logs it, and takes the next one', async () => {
    let calls = 0;
    const { ask, log } = await start({
      reload: async () => {
        calls += 1;
        if (calls === 1) throw new Error('/etc/secret-place is gone');
        return { ok: true, report: '' };
      },
    });
    const { status, body } = await ask('/-/reload', { method: 'POST' });
    expect(status).toBe(500);
    expect(body).not.toContain('secret-place');
    expect(log.lines).toMatchObject([{ level: 'error', message: 'admin request failed' }]);
    expect(await ask('/-/reload', { method: 'POST' })).toMatchObject({ status: 200, body: 'reloaded\n' });
  });

  it('refuses GET with 405', async () => {
    const { ask } = await start({ reload: () => Promise.reject(new Error('called')) });
    expect(await ask('/-/reload')).toMatchObject({ status: 405, headers: { allow: 'POST' } });
  });

  it('refuses a body, and does not keep the connection', async () => {
    const { ask } = await start({ reload: () => Promise.reject(new Error('called')) });
    expect(await ask('/-/reload', { method: 'POST', body: 'x' })).toMatchObject({
      status: 413,
      headers: { connection: 'close' },
    });
  });
});

describe('lockouts', () => {
  it('are listed as JSON', async () => {
    const lockouts = [{ address: '198.51.100.7', user: 'bob\n', untilMs: 12_500 }];
    const { ask } = await start({ lockouts: () => lockouts });
    const { headers, body } = await ask('/api/lockouts');
    expect(headers['content-type']).toBe('application/json');
    expect(JSON.parse(body)).toEqual({ total: 1, lockouts });
  });

  it('are lifted by address', async () => {
    const { ask, cleared, log } = await start();
    expect(await ask('/api/lockouts/clear?address=2001:db8::/64', { method: 'POST' })).toMatchObject({
      status: 200,
      body: '{"cleared":1}\n',
    });
    expect(cleared).toEqual(['2001:db8::/64']);
    expect(log.lines).toMatchObject([{ level: 'info', message: 'lockouts cleared' }]);
  });

  it.each(['', '?address=', '?address=everybody', '?address=1.2.3.4%0a'])('are not lifted for %j', async (query) => {
    const { ask, cleared } = await start();
    expect(await ask(`/api/lockouts/clear${query}`, { method: 'POST' })).toMatchObject({ status: 400 });
    expect(cleared).toEqual([]);
  });
});

describe('the status page', () => {
  it('shows state, listeners, certificates, upstreams and lockouts, all escaped', async () => {
    const end = Date.now() + 10.5 * 86_400_000;
    const certificate = {
      cert: 'CERTPEM',
      key: 'KEYPEM',
      name: '<b>server.crt',
      names: [],
      notBefore: 0,
      notAfter: end,
      serial: '0A',
      issuer: '',
      keyType: 'ec',
    };
    const { ask } = await start({
      config: configOf({ tls: tlsOf({ certificates: [certificate] }) }),
      lockouts: () => [{ address: '198.51.100.7', user: '<script>alert(1)</script>', untilMs: 9 }],
      ready: () => ({ ready: false, reasons: ['draining'] }),
    });
    const { status, headers, body } = await ask('/');
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    for (const text of [
      '1.2.3',
      'abcdef012345',
      ':9095',
      'not ready: draining',
      '10 days left',
      '198.51.100.7',
      'not probed yet',
    ]) {
      expect(body).toContain(text);
    }
    for (const text of ['<script', '<b>', 'KEYPEM', 'CERTPEM']) expect(body).not.toContain(text);
    expect(body).toContain('&#60;script&#62;');
  });
});

describe('other questions', () => {
  it.each(['/metrics/', '/nothing', '//metrics', '/__proto__', '/constructor', 'http://localhost/metrics'])(
    'are 404: %s',
    async (path) => {
      const { ask } = await start();
      expect(await ask(path)).toMatchObject({ status: 404 });
    },
  );

  it.each(['DELETE', 'PUT', 'OPTIONS', 'TRACE'])('are 405: %s', async (method) => {
    const { ask } = await start();
    expect(await ask('/metrics', { method })).toMatchObject({ status: 405, headers: { allow: 'GET' } });
  });

  it('end the connection when more than four wait for an answer', async () => {
    let calls = 0;
    const { port } = await start({
      reload: () => {
        calls += 1;
        return new Promise(() => undefined);
      },
    });
    const one = 'POST /-/reload HTTP/1.1\r\nHost: localhost\r\n\r\n';
    expect(await sendRaw(port, one.repeat(500))).toBe('');
    expect(calls).toBe(1);
  });

  it('with headers beyond the limit are refused', async () => {
    const { port } = await start();
    const head = `GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`;
    expect(await sendRaw(port, head)).toMatch(/^HTTP\/1\.1 431 /);
  });

  it('get no 100 Continue before they are judged', async () => {
    const { port } = await start();
    const head = 'POST /-/reload HTTP/1.1\r\nHost: evil.example\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n';
    expect(await sendRaw(port, head)).toMatch(/^HTTP\/1\.1 421 /);
  });
});

describe('the listener', () => {
  it('does not listen when the address is off', async () => {
    const { admin } = await start({ address: { kind: 'off' } });
    expect(admin.address()).toBeNull();
  });

  it('says which port is taken', async () => {
    const { port } = await start();
    const taken = startAdmin({ address: { kind: 'tcp', host: '127.0.0.1', port, text: `127.0.0.1:${port}` } });
    await expect(taken).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: `admin_address 127.0.0.1:${port} is in use by another process`,
    });
  });

  it('takes new host names on apply, and says that a new address needs a restart', async () => {
    const { admin, ask, log } = await start();
    const headers = { host: 'gate.example.com' };
    expect(await ask('/metrics', { headers })).toMatchObject({ status: 421 });
    const { address } = configOf().admin;
    admin.apply(configOf({ admin: { address, hosts: new Set(['gate.example.com']) } }));
    expect(await ask('/metrics', { headers })).toMatchObject({ status: 200 });
    expect(log.lines.filter(({ message }) => message.includes('restart'))).toEqual([]);
    admin.apply(configOf({ admin: { address: { kind: 'off' }, hosts: new Set() } }));
    expect(log.lines.filter(({ message }) => message.includes('restart'))).toHaveLength(1);
  });

  it('closes although a client keeps its connection', async () => {
    const { admin, port } = await start();
    const kept = sendRaw(port, 'GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n');
    // Answered after it, so the first one is idle by now.
    await ask({ host: '127.0.0.1', port }, '/-/healthy');
    await admin.close();
    expect(await kept).toContain('promgate is healthy');
    expect(admin.address()).toBeNull();
  });
});
