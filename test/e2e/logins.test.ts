/** Logins at the real gate: many at once, floods of wrong ones, and what a scraper with the right password notices. */
import { writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { poll } from '../support/poll.ts';
import { startPrometheus } from '../support/prometheus.ts';
import type { Prometheus } from '../support/prometheus.ts';
import { PASSWORD, USER, htpasswdLine, startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

describe('logins', () => {
  let prometheus: Prometheus;
  let scene: Scene;

  beforeAll(async () => {
    prometheus = await startPrometheus();
    const lines = [
      await htpasswdLine(USER, PASSWORD, '-B', '-C', '10'),
      await htpasswdLine('apr1', PASSWORD, '-m'),
      await htpasswdLine('sha', PASSWORD, '-s'),
      await htpasswdLine('sha256', PASSWORD, '-2'),
      await htpasswdLine('sha512', PASSWORD, '-5'),
      await htpasswdLine('unicode', 'grüße aus 東京', '-B', '-C', '5'),
    ];
    scene = await startScene({
      files: { '.htpasswd': lines.join('') },
      yaml: `upstreams: [{url: "${prometheus.url}"}]\nlockout: {attempts: 5, window: 1m, duration: 2m}`,
    });
  });
  afterAll(async () => {
    await scene.stop();
    await prometheus.stop();
  });

  /** One request from a loopback address of one's own. */
  const login = (from: string, user: string, password: string, agent?: Agent): Promise<number> =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        {
          host: '127.0.0.1',
          servername: 'localhost',
          port: scene.gate.port,
          path: '/-/healthy',
          ca: scene.authority.cert,
          auth: `${user}:${password}`,
          localAddress: from,
          agent,
        },
        (response) => {
          response.resume();
          response.on('end', () => {
            resolve(response.statusCode ?? 0);
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end();
    });

  it.each([
    ['apr1', PASSWORD],
    ['sha', PASSWORD],
    ['sha256', PASSWORD],
    ['sha512', PASSWORD],
    ['unicode', 'grüße aus 東京'],
  ])('takes the password of %s, hashed by the real htpasswd', async (user, password) => {
    expect(await login('127.0.0.1', user, password)).toBe(200);
  });

  it('serves 200 clients at once, the good with 200 and the bad with a refusal, and hashes the good one once', async () => {
    const before = await hashes();
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => {
        const isGood = index % 2 === 0;
        const from = `127.0.1.${index + 1}`;
        return login(from, USER, isGood ? PASSWORD : `wrong ${index % 4}`).then((status) => ({ isGood, status }));
      }),
    );
    expect(new Set(answers.filter(({ isGood }) => isGood).map(({ status }) => status))).toEqual(new Set([200]));
    for (const { status } of answers.filter(({ isGood }) => !isGood)) expect([401, 429, 503]).toContain(status);
    expect((await hashes()) - before).toBeLessThanOrEqual(101);
  });

  it('locks out an address that guesses, honours the scraper there, and lifts it by command', async () => {
    expect(await login('127.0.0.66', USER, PASSWORD)).toBe(200);
    const statuses: number[] = [];
    for (let guess = 0; guess < 8; guess++) statuses.push(await login('127.0.0.66', USER, `guess ${guess}`));
    expect(statuses[0]).toBe(401);
    expect(statuses.at(-1)).toBe(429);
    expect(await login('127.0.0.66', USER, PASSWORD)).toBe(200);
    expect(await login('127.0.0.67', USER, 'another guess')).toBe(401);

    const listed = await scene.gate.command('lockouts');
    expect(listed).toMatchObject({ code: 0 });
    expect(listed.stdout).toContain('127.0.0.66');
    expect(await scene.gate.command('lockouts', 'clear', '127.0.0.66')).toMatchObject({ code: 0 });
    expect(await login('127.0.0.66', USER, 'one more guess')).toBe(401);
  });

  it('does not let a flood of guesses slow down a scraper with a remembered password', async () => {
    const agent = new Agent({ keepAlive: true });
    try {
      await login('127.0.0.1', USER, PASSWORD, agent);
      const flood = Promise.all(
        Array.from({ length: 24 }, (_, index) => login(`127.0.2.${index + 1}`, USER, `flood ${index}`)),
      );
      const slowest = Math.max(...(await timed(20, () => login('127.0.0.1', USER, PASSWORD, agent))));
      await flood;
      // These hashes of cost 10 take seconds; on the main thread one of these requests would have waited for many.
      expect(slowest).toBeLessThan(2_000);
    } finally {
      agent.destroy();
    }
  });

  it('takes a new password as soon as the file has changed, and the old one no more', async () => {
    await writeFile(`${scene.gate.directory}/.htpasswd`, await htpasswdLine(USER, 'the new one'));
    await poll('the new password', async () => (await login('127.0.0.1', USER, 'the new one')) === 200);
    expect(await login('127.0.0.1', USER, PASSWORD)).toBe(401);
  });

  it('writes no password to its log', () => {
    for (const secret of [PASSWORD, 'guess 1', 'flood 1', 'wrong 1', 'the new one']) {
      expect(scene.gate.logs()).not.toContain(secret);
      expect(scene.gate.logs()).not.toContain(Buffer.from(`${USER}:${secret}`).toString('base64'));
    }
  });

  const hashes = async (): Promise<number> => {
    const found = /promgate_password_hash_duration_seconds_count (\d+)/.exec(await scene.gate.metrics());
    return Number(found?.[1]);
  };
});

async function timed(count: number, action: () => Promise<unknown>): Promise<number[]> {
  const durations: number[] = [];
  for (let index = 0; index < count; index++) {
    const began = performance.now();
    await action();
    durations.push(performance.now() - began);
  }
  return durations;
}
