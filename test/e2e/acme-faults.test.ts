/**
 * What goes wrong between a running gate and its CA: each is said in words that help, and nothing that is good is lost by
 * it.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { attempts, awaitIssued, httpChallenge, NAME, served, startAcmeGate, stateOf } from '../support/acme-gate.ts';
import { startCaRelay, type CaRelay } from '../support/ca-relay.ts';
import type { Gate } from '../support/gate.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';
import { poll } from '../support/poll.ts';
import { json, type Handler } from '../support/faulty-ca.ts';

const ACME = 'urn:ietf:params:acme:error:';
const MOST_ATTEMPTS = 3;

let pebble: Pebble;
let relay: CaRelay;
beforeAll(async () => {
  // It refuses every second nonce.
  pebble = await startPebble({ nonceReject: 50 });
  relay = await startCaRelay(pebble.directory);
});
afterAll(async () => {
  await relay.close();
  await pebble.stop();
});

describe('a running gate', () => {
  let gate: Gate;
  let hung: Gate;
  beforeAll(async () => {
    gate = await startAcmeGate({ directory: relay.directory, challenge: httpChallenge(pebble.httpPort) });
    await awaitIssued(gate);
    await poll('it has asked all it wants to know', () => gate.logs().includes('the CA suggests when to renew'));
    let isAsked = false;
    relay.intercept(() => (isAsked = true));
    hung = await startAcmeGate({ directory: relay.directory, challenge: httpChallenge(pebble.httpPort) });
    await poll('the CA is asked', () => isAsked);
  });
  afterAll(async () => {
    await hung.stop();
    await gate.stop();
  });
  afterEach(() => {
    relay.intercept(null);
    pebble.dns.missing.clear();
  });

  /** Asks for a renewal that fails, and sees that it has taken nothing away. */
  const failing = async (): Promise<{ stderr: string; status: string }> => {
    // Told never to reuse a validation of the past, Pebble still does so one time in a hundred: then it is asked again.
    for (let attempt = 1; ; attempt++) {
      const [before, state] = [await served(gate.port), await stateOf(gate)];
      const { code, stdout, stderr } = await gate.command('cert', 'renew');
      const isReused = code === 0 && (await served(gate.port)).serialNumber !== before.serialNumber;
      if (isReused && attempt < MOST_ATTEMPTS) continue;
      expect(code, stdout + stderr).toBe(1);
      return { stderr, status: await nothingTaken(before.serialNumber, state) };
    }
  };
  const nothingTaken = async (serialNumber: string, state: ReadonlyMap<string, string>): Promise<string> => {
    expect((await served(gate.port)).serialNumber).toBe(serialNumber);
    for (const [name, content] of await stateOf(gate)) {
      if (!name.endsWith('.state.json')) expect(content).toBe(state.get(name));
    }
    const status = await gate.command('cert', 'status');
    // A good certificate is no reason to worry yet.
    expect(status.code).toBe(0);
    return status.stdout;
  };
  const broken = (handler: Handler): void => {
    relay.intercept((request, response) => {
      if (request.url !== '/order-plz') return false;
      handler(request, response, '');
      return true;
    });
  };

  it('has its certificate in spite of a CA that refuses every second nonce', async () => {
    expect(pebble.process.output()).toContain('Configured to reject 50% of good nonces');
    expect(await attempts(gate, 'issued')).toBe(1);
  });

  it.each<[string, Handler, RegExp]>([
    [
      'an error of its own',
      json({ type: `${ACME}serverInternal`, detail: 'the database is gone' }, 500),
      /answered 500: the database is gone/,
    ],
    ['JSON that is none', json('{"status": ', 201), /not the JSON it claims to be/],
    [
      'a page of another server',
      (_request, response) => response.writeHead(200).end('<h1>It works</h1>'),
      /cannot be understood|not what RFC 8555/,
    ],
    [
      'half an answer',
      (_request, response) => {
        response.writeHead(201, { 'content-type': 'application/json', 'content-length': '1000' });
        response.write('{"status":', () => response.destroy());
      },
      /order-plz failed: /,
    ],
  ])('is told %s', async (_what, handler, words) => {
    broken(handler);
    const { stderr, status } = await failing();
    expect(stderr).toMatch(words);
    expect(status).toMatch(new RegExp(`last error .*(?:${words.source})`));
  });

  it('is told of a rate limit, in the words of the CA, with its link and when to come back', async () => {
    const detail = 'too many certificates (5) already issued for this exact set of identifiers';
    const headers = { 'retry-after': '7200', link: '<https://ca.example/docs/rate-limits>;rel="help"' };
    broken(json({ type: `${ACME}rateLimited`, detail }, 429, headers));
    const { stderr, status } = await failing();
    expect(stderr).toContain(`${detail} (rateLimited)`);
    expect(stderr).toContain(
      'hint: the CA explains it at https://ca.example/docs/rate-limits; the CA asks to wait 2 h',
    );
    expect(status).toContain(`${detail} (rateLimited), see https://ca.example/docs/rate-limits`);
    expect(gate.logs()).toMatch(/kind=rate-limited.*link=https:\/\/ca\.example\/docs\/rate-limits.*not_before=/);
    expect(await attempts(gate, 'rate-limited')).toBe(1);
  });

  it('is told that its name cannot be found', async () => {
    pebble.dns.missing.add(NAME);
    const { stderr } = await failing();
    expect(stderr).toMatch(/the CA could not verify gate\.example\.com: .*gate\.example\.com/);
  });

  it('is told that the CA has found nobody under its name', async () => {
    // The gate answers on another port than the one on which the CA asks.
    const text = await readFile(gate.configFile, 'utf8');
    await writeFile(gate.configFile, text.replace(`127.0.0.1:${pebble.httpPort}`, '127.0.0.1:0'));
    expect((await gate.command('reload')).code).toBe(0);
    try {
      const { stderr } = await failing();
      expect(stderr).toMatch(/the CA could not verify .*(?:refused|connection)/i);
    } finally {
      await writeFile(gate.configFile, text);
      expect((await gate.command('reload')).code).toBe(0);
    }
  });

  it('is told that the port of the challenge is taken, and what to do', async () => {
    const other = createServer().listen(pebble.httpPort, '127.0.0.1');
    await once(other, 'listening');
    try {
      const { stderr } = await failing();
      expect(stderr).toContain(`cannot listen on 127.0.0.1:${pebble.httpPort} for the http-01 challenge: EADDRINUSE`);
      expect(stderr).toContain(
        'if another server has port 80, let it serve a directory and set challenge to its webroot',
      );
    } finally {
      other.close();
      await once(other, 'close');
    }
  });

  it('makes a new account with the same key where the CA has lost it, and goes on', async () => {
    const accounts = async (): Promise<string[]> =>
      [...(await stateOf(gate))].filter(([name]) => name.startsWith('account-')).map(([, content]) => content);
    const [before, keys] = [await served(gate.port), await accounts()];
    await pebble.restart();
    const renewed = await gate.command('cert', 'renew');
    expect(renewed.code, renewed.stderr).toBe(0);
    expect(renewed.stdout).toMatch(/does not know the account any longer.*a new account was made/s);
    expect(renewed.stdout).toContain('without naming the certificate that it replaces');
    expect((await served(gate.port)).serialNumber).not.toBe(before.serialNumber);
    expect(await accounts()).toEqual(keys);
  });

  it('gives up a CA that says nothing, after half a minute, and serves meanwhile', async () => {
    expect((await served(hung.port)).issuer).toContain('self-signed');
    await poll('the attempt has ended', async () => (await attempts(hung, 'timeout')) === 1, { deadlineMs: 45_000 });
    expect(hung.logs()).toMatch(/msg="no certificate was issued".*was not answered within 30 s/);
    // Once the CA answers there is one.
    expect((await hung.command('cert', 'renew')).code).toBe(0);
    await awaitIssued(hung);
  });
});
