/**
 * The attack: a handful of addresses (or one IPv6 /56, which is 256 of them to the gate) keep the queue of password checks
 * full with wrong passwords. It serves addresses in turn, but who comes to a full queue is not let into it: a scraper
 * whose password is not remembered (a restart, or any change of the htpasswd file) gets 503 at each scrape.
 */
import { request } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PASSWORD, USER, htpasswdLine, startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

describe('a queue of password checks that strangers keep full', () => {
  let scene: Scene;

  beforeAll(async () => {
    scene = await startScene({
      files: { '.htpasswd': await htpasswdLine(USER, PASSWORD, '-B', '-C', '11') },
      yaml: `
lockout: {attempts: 1000, attempts_per_address: 1000}
password_hashing: {workers: 1, queue: 8, queue_per_address: 4}
upstreams: [{url: self}]`,
    });
  });
  afterAll(() => scene.stop());

  const login = (localAddress: string, password: string): Promise<number> =>
    new Promise((resolve) => {
      const credentials = { host: '127.0.0.1', port: scene.gate.port, path: '/metrics', auth: `${USER}:${password}` };
      request({ ...credentials, localAddress, rejectUnauthorized: false, agent: false }, (response) => {
        response.resume().on('end', () => {
          resolve(response.statusCode ?? 0);
        });
      })
        .on('error', () => {
          resolve(0);
        })
        .end();
    });

  it('still lets somebody in who asks once from an address of his own', async () => {
    let over = false;
    let wrong = 0;
    const flood = Array.from({ length: 24 }, async (_, index) => {
      while (!over) await login(`127.0.1.${1 + (index % 6)}`, `wrong ${String(wrong++)}`);
    });
    try {
      const statuses: number[] = [];
      for (let attempt = 0; attempt < 8 && !statuses.includes(200); attempt += 1) {
        await new Promise((resolve) => setTimeout(resolve, 300));
        statuses.push(await login('127.0.0.200', PASSWORD));
      }
      expect(statuses).toContain(200);
    } finally {
      over = true;
      await Promise.all(flood);
    }
  }, 30_000);
});
