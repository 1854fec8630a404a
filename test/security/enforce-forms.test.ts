/**
 * The attack: a body that the gate does not read and Prometheus does. Prometheus takes `query` from a multipart form too,
 * ignores Content-Encoding, and reads a form whose media type has a broken parameter; with an urlencoded form the body
 * wins over the URL, with a multipart one the URL does. A restricted identity sends one kind of form, or none.
 */
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendRaw } from '../support/raw-client.ts';
import { PASSWORD } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { ALPHA, as, leaks, startTenantScene, startTwoTenants } from '../support/two-tenants.ts';
import type { TwoTenants } from '../support/two-tenants.ts';

let tenants: TwoTenants;
let scene: Scene;

beforeAll(async () => {
  tenants = await startTwoTenants();
  scene = await startTenantScene(tenants);
});

afterAll(async () => {
  await scene.stop();
  await tenants.stop();
});

const ask = (path: string, ...argv: string[]) => scene.askAsStranger(path, ...as(ALPHA), ...argv);
const QUERY = '/api/v1/query';
const BETA = 'query=up%7Btenant%3D%22beta%22%7D';
const FORM = 'application/x-www-form-urlencoded';
const AUTHORIZATION = `Authorization: Basic ${Buffer.from(`${ALPHA}:${PASSWORD}`).toString('base64')}`;

/** A POST with exactly these header lines. */
async function post(headers: readonly string[], body: string | Buffer, path = `${QUERY}?query=up`) {
  const lines = ['Host: x', AUTHORIZATION, 'Connection: close', `Content-Length: ${String(body.length)}`, ...headers];
  const head = Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  return sendRaw(scene.gate.port, Buffer.concat([head, Buffer.from(body)]));
}

describe('a form that the gate cannot read', () => {
  it('is refused as multipart, whoever would win', async () => {
    for (const path of [QUERY, `${QUERY}?query=up`]) {
      const answer = await ask(path, '-F', 'query=up{tenant="beta"}');
      expect(answer.status).toBe(415);
      expect(leaks(answer)).toBe(false);
    }
  });

  it.each([
    `${FORM};`,
    `${FORM}; x="`,
    `${FORM}; boundary=b; boundary=c`,
    `multipart/form-data; boundary=${FORM}`,
    `text/plain, ${FORM}`,
    'application/json',
    'text/plain',
    '',
  ])('is refused with the type %j', async (type) => {
    const { statuses, text } = await post([`Content-Type: ${type}`], BETA);
    expect(statuses).toEqual([415]);
    expect(text).not.toContain('"beta"');
    expect(text).toContain('the body must be a form');
  });

  it.each([`${FORM} `, FORM.toUpperCase(), `${FORM}; charset=UTF-8`, `${FORM};charset="utf-8"; a=b`])(
    'is read with the type %j, and refused where the scalar comes twice',
    async (type) => {
      const { statuses, text } = await post([`Content-Type: ${type}`], BETA);
      expect(statuses).toEqual([400]);
      expect(text).not.toContain('"beta"');
    },
  );

  it('is refused without a type', async () => {
    expect((await post([], BETA)).statuses).toEqual([415]);
  });

  it('is refused with two types', async () => {
    expect((await post([`Content-Type: ${FORM}`, 'Content-Type: multipart/form-data'], BETA)).statuses).toEqual([400]);
  });

  it.each(['gzip', 'identity', 'deflate', ''])('is refused with the coding %j', async (coding) => {
    for (const body of [BETA, gzipSync(BETA)]) {
      const { statuses } = await post([`Content-Type: ${FORM}`, `Content-Encoding: ${coding}`], body, QUERY);
      expect(statuses).toEqual([415]);
    }
  });

  it('is refused beyond 64 KiB, announced or in chunks', async () => {
    const large = `query=up&x=${'x'.repeat(65_536)}`;
    expect((await post([`Content-Type: ${FORM}`], large, QUERY)).statuses).toEqual([413]);
    const chunked = [
      'Transfer-Encoding: chunked',
      `Content-Type: ${FORM}`,
      AUTHORIZATION,
      'Host: x',
      'Connection: close',
    ];
    const head = `POST ${QUERY} HTTP/1.1\r\n${chunked.join('\r\n')}\r\n\r\n`;
    const { statuses } = await sendRaw(scene.gate.port, `${head}${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`);
    expect(statuses).toEqual([413]);
  });

  it('does not come with another method', async () => {
    const head = `GET ${QUERY}?query=up HTTP/1.1\r\nHost: x\r\n${AUTHORIZATION}\r\nContent-Type: ${FORM}\r\n`;
    const { statuses } = await sendRaw(
      scene.gate.port,
      `${head}Connection: close\r\nContent-Length: ${String(BETA.length)}\r\n\r\n${BETA}`,
    );
    expect(statuses).toEqual([400]);
    expect((await ask(QUERY, '-X', 'PUT', '--data', BETA)).status).toBe(405);
  });
});

describe('a form that the gate reads', () => {
  it('is narrowed on HTTP/1.1, HTTP/2, in chunks and after 100 Continue', async () => {
    for (const argv of [
      ['--http1.1'],
      ['--http2'],
      ['--http1.1', '-H', 'Expect: 100-continue'],
      ['--http1.1', '-H', 'Transfer-Encoding: chunked'],
    ]) {
      const answer = await ask(QUERY, ...argv, '--data', 'query=up');
      expect(answer.status, argv.join(' ')).toBe(200);
      expect(answer.body).toContain('"tenant":"alpha"');
      expect(leaks(answer)).toBe(false);
    }
  });

  it('may be empty', async () => {
    const answer = await ask(`${QUERY}?query=up`, '-X', 'POST');
    expect(answer.status).toBe(200);
    expect(leaks(answer)).toBe(false);
  });
});
