/**
 * The attack: a header that the gate reads in one way and the upstream in another. `X_Promgate_User` is `X-Promgate-User`
 * to every CGI-like server; `Connection: x-promgate-user` makes a naive proxy drop its own header; X-Forwarded-For of a
 * stranger is believed; X-Original-URL and X-HTTP-Method-Override change what was judged.
 */
import { connect } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { upstreamAt } from '../support/config-fixture.ts';
import { startGate, startOrigin } from '../request/forward/gate-fixture.ts';
import { poll } from '../support/poll.ts';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

it.each(['prometheus', 'any'] as const)('does not reach an upstream of kind %s in any spelling', async (kind) => {
  const origin = await startOrigin((_request, response) => response.end('done'));
  const gate = await startGate({ upstream: upstreamAt(origin.port, { kind }) });
  closing.push(
    () => origin.close(),
    () => gate.close(),
  );
  const socket = connect(gate.port, '127.0.0.1');
  closing.push(() => Promise.resolve(void socket.destroy()));
  const forged = [
    'X_Promgate_User: root',
    'x-promgate-user: root',
    'X-Promgate_User: root',
    'X_Forwarded_For: 10.0.0.1',
    'X-Forwarded-For: 10.0.0.1',
    'x-forwarded-host: evil.test',
    'Forwarded: for=10.0.0.1',
    'X-Real-IP: 10.0.0.1',
    'X-Original-URL: /-/quit',
    'X-Rewrite-URL: /-/quit',
    'X-HTTP-Method-Override: DELETE',
    'X_HTTP_Method_Override: DELETE',
    'Proxy-Authorization: Basic evil',
    'Authorization: Basic evil',
    'Cookie: session=evil',
    'Connection: x-promgate-user, x-forwarded-for, x-forwarded-proto, x-forwarded-host',
  ];
  socket.write(`GET /metrics HTTP/1.1\r\nHost: gate.test\r\n${forged.join('\r\n')}\r\n\r\n`);
  await poll('the request upstream', () => origin.requests.length === 1);
  expect(origin.requests[0]?.headers).toEqual({
    host: `127.0.0.1:${String(origin.port)}`,
    connection: 'keep-alive',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': 'gate.test',
    'x-promgate-user': 'anonymous',
  });
});

it('cannot end the request early: a value that undici would not send is 400, not 500', async () => {
  const origin = await startOrigin((_request, response) => response.end('done'));
  const gate = await startGate({
    upstream: upstreamAt(origin.port),
    before: (passage) => {
      // What the listener refuses before; here it is let through, to see that nothing behind it relies on that.
      Object.assign(passage, {
        upstream: upstreamAt(origin.port, { authorization: { kind: 'header', value: 'a\r\nb' } }),
      });
      return true;
    },
  });
  closing.push(
    () => origin.close(),
    () => gate.close(),
  );
  const answer = await fetch(gate.url);
  expect(answer.status).toBe(400);
  expect(await answer.text()).not.toContain('undici');
  expect(origin.requests).toHaveLength(0);
});
