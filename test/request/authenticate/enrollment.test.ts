/** The path of enrollment as clients of all sorts use it; who must not is in test/security/enrollment-*. */
import { connect } from 'node:http2';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { ENROLLMENT_PATH } from '../../../src/request/enrollment.ts';
import { authorityPaths, readIndex } from '../../../src/tls/authority/authority-directory.ts';
import { newRequest, startEnrollingGate } from '../../support/enrolling-gate.ts';
import type { EnrollingGate } from '../../support/enrolling-gate.ts';
import { poll } from '../../support/poll.ts';

let gate: EnrollingGate;
afterEach(async () => {
  await gate.close();
});

const open = async () => {
  gate = await startEnrollingGate('authenticate: certificate\nenrollment: {authority: certs}');
  return { token: await gate.token('central'), ...(await newRequest()) };
};
const issued = async () => (await readIndex(authorityPaths(gate.path('certs')))).issued;
const tls = () => ({ host: '127.0.0.1', port: gate.port, servername: 'localhost', ca: gate.ca.cert });

describe('a certificate for a token', () => {
  test('comes over HTTP/2 as well', async () => {
    const { token, request } = await open();
    const session = connect(`https://127.0.0.1:${String(gate.port)}`, { ca: gate.ca.cert, servername: 'localhost' });
    session.on('error', () => undefined);
    try {
      const stream = session.request({
        ':method': 'POST',
        ':path': ENROLLMENT_PATH,
        authorization: `Bearer ${token}`,
      });
      const answer = new Promise<{ status: unknown; type: unknown; body: string }>((resolve, reject) => {
        let head: Record<string, unknown> = {};
        let body = '';
        stream.setEncoding('latin1');
        stream.on('response', (headers) => (head = headers));
        stream.on('data', (chunk: string) => (body += chunk));
        stream.on('end', () => {
          resolve({ status: head[':status'], type: head['content-type'], body });
        });
        stream.on('error', reject);
      });
      stream.end(request);
      expect(await answer).toMatchObject({
        status: 200,
        type: 'application/pem-certificate-chain',
        body: expect.stringMatching(/^-----BEGIN CERTIFICATE-----/) as string,
      });
    } finally {
      session.destroy();
    }
  });

  test('comes after 100 Continue, which only who has a token gets', async () => {
    const { token, request } = await open();
    const say = async (bearer: string): Promise<string> => {
      const socket = connectTls({ ...tls(), ALPNProtocols: ['http/1.1'] });
      let text = '';
      let isSent = false;
      socket.setEncoding('latin1').on('data', (chunk: string) => {
        text += chunk;
        if (text.startsWith('HTTP/1.1 100 ') && !isSent) socket.write(request);
        isSent ||= text.startsWith('HTTP/1.1 100 ');
      });
      socket.on('error', () => undefined);
      const head = `POST ${ENROLLMENT_PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\n`;
      socket.write(`${head}Authorization: Bearer ${bearer}\r\nContent-Length: ${String(request.length)}\r\n\r\n`);
      await new Promise((resolve) => socket.once('close', resolve));
      return text;
    };
    expect(await say('f'.repeat(32))).toMatch(/^HTTP\/1\.1 401 /);
    expect(await say(token)).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
  });

  test('a client that leaves within its request has used nothing up', async () => {
    const { token, request } = await open();
    const socket = connectTls({ ...tls(), ALPNProtocols: ['http/1.1'] });
    socket.on('error', () => undefined);
    const head = `POST ${ENROLLMENT_PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n`;
    socket.write(`${head}Content-Length: ${String(request.length)}\r\n\r\n${request.slice(0, 100)}`);
    const line = () => gate.log.lines.filter(({ message }) => message === 'issued a client certificate');
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    socket.destroy();
    expect((await gate.ask({ token, body: request })).status).toBe(200);
    await poll('the line in the log', () => line().length === 1);
    expect(await issued()).toHaveLength(1);
  });
});

test('a token that comes when none is pending is refused as anything else, and the log says why', async () => {
  gate = await startEnrollingGate(
    'authenticate: either\nhtpasswd_file: htpasswd\naccess_log: true\nenrollment: {authority: certs}',
  );
  const late = 'no enrollment token is pending';
  const { body } = await gate.ask({ token: 'f'.repeat(32), body: (await newRequest()).request });
  expect(body).not.toContain(late);
  expect(gate.refusals).toHaveLength(1);
  await poll('the line in the log', () => JSON.stringify(gate.log.lines).includes(late));
});
