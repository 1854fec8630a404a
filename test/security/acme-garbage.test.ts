/**
 * The attack: a CA that is broken, overloaded or not the CA at all answers an order at any step with errors, garbage,
 * endless bodies, silence or half an answer, points to other hosts, or asks for proofs of names and for files that
 * were never ordered. Whatever it does, an order ends soon, with a failure that says what happened, and nothing else.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AcmeFailure, type AcmeFailureKind, type ChallengeAnswerer } from '../../src/tls/acme/contract.ts';
import { createTestIssuer, hurriedClock, type TestIssuer } from '../support/acme-orders.ts';
import { json, startFaultyCa, STEPS, type FaultyCa, type Handler } from '../support/faulty-ca.ts';

/** The thirty seconds of one step pass in half a one. */
const CLOCK = hurriedClock(60);
/** Where no time is to run out: ten times as much of it, on a busy machine too. */
const PATIENT_CLOCK = hurriedClock(6);
const LONGEST_MS = 10_000;

let ca: FaultyCa;
let pending: number;
const answerer: ChallengeAnswerer = {
  async present() {
    pending += 1;
    return async () => {
      pending -= 1;
    };
  },
};
const newIssuer = (clock = CLOCK): TestIssuer => createTestIssuer({ type: 'http-01', answerer }, { clock });
/** For a CA of which such a failure is expected. */
const issuerFor = (kind: readonly AcmeFailureKind[]): TestIssuer =>
  newIssuer(kind.includes('timeout') ? CLOCK : PATIENT_CLOCK);

beforeAll(async () => {
  ca = await startFaultyCa();
});
afterAll(async () => {
  await ca.close();
});
beforeEach(() => {
  pending = 0;
  ca.reset();
});

async function failure(work: Promise<unknown>): Promise<AcmeFailure> {
  const started = performance.now();
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AcmeFailure);
  expect(performance.now() - started).toBeLessThan(LONGEST_MS);
  expect(pending).toBe(0);
  return error as AcmeFailure;
}

const order = (issuer = newIssuer()): Promise<AcmeFailure> =>
  failure(issuer.order(ca.directory, { names: ['a.example.com'] }));

const endless: Handler = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const write = (): void => {
    while (!response.destroyed && response.write('x'.repeat(65_536)));
  };
  response.on('drain', write);
  write();
};
const FAULTS: Record<string, { readonly kind: readonly AcmeFailureKind[]; readonly handler: Handler }> = {
  'an error of its own': { kind: ['unreachable'], handler: json({ type: 'about:blank' }, 500) },
  'a rate limit': {
    kind: ['rate-limited'],
    handler: json({ type: 'urn:ietf:params:acme:error:rateLimited', detail: 'slow down' }, 429, {
      'retry-after': '120',
    }),
  },
  'JSON that is none': { kind: ['garbage'], handler: json('{"newNonce": ') },
  'JSON of another shape': { kind: ['garbage'], handler: json([1, null, 'x']) },
  null: { kind: ['garbage'], handler: json('null') },
  'a web page': {
    kind: ['garbage'],
    handler: (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>It works</h1>');
    },
  },
  'a redirect': { kind: ['garbage'], handler: json({}, 302, { location: 'https://127.0.0.1:1/' }) },
  'an endless body': { kind: ['garbage'], handler: endless },
  silence: { kind: ['timeout'], handler: () => undefined },
  'half an answer and silence': {
    kind: ['timeout'],
    handler: (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).write('{"a":');
    },
  },
  'half an answer and the end of the connection': {
    kind: ['unreachable'],
    handler: (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' }).write('{"a":', () => {
        response.destroy();
      });
    },
  },
  'no answer and the end of the connection': {
    kind: ['unreachable'],
    handler: (request) => {
      request.socket.destroy();
    },
  },
};
/** Where the shape of an answer does not matter, or there is no body: the order goes on and ends at the last step. */
const IGNORED = new Set(['challenge: JSON of another shape', 'challenge: null', 'challenge: a web page']);
const NO_BODY: ReadonlySet<string> = new Set([
  'JSON that is none',
  'an endless body',
  'half an answer and silence',
  'half an answer and the end of the connection',
  'JSON of another shape',
  'null',
]);

describe.each(STEPS)('the step "%s"', (step) => {
  const faults = Object.entries(FAULTS).filter(([name]) => step !== 'nonce' || !NO_BODY.has(name));
  it.each(faults)('answered by %s ends the order in time', async (name, { kind, handler }) => {
    ca.handlers.set(step, handler);
    const error = await order();
    if (IGNORED.has(`${step}: ${name}`)) expect(error.message).toMatch(/another key|did not verify/);
    else expect([kind, error.message]).toEqual([expect.arrayContaining([error.kind]), error.message]);
    expect(error.message.length).toBeLessThan(800);
  });
});

describe('what may be asked twice', () => {
  it('is asked three times when the CA has an error, and brings the order on when that passes', async () => {
    let left = 2;
    ca.handlers.set('directory', (request, response, url) => {
      const usual = { newNonce: `${url}/nonce`, newAccount: `${url}/account`, newOrder: `${url}/order` };
      json(usual, left-- > 0 ? 503 : 200)(request, response, url);
    });
    expect((await order()).message).toContain('another key');
    expect(ca.asked.get('directory')).toBe(3);
  });

  it('does not include an order or an account', async () => {
    ca.handlers.set('order', json({}, 500));
    await order();
    expect(ca.asked.get('order')).toBe(1);
    ca.handlers.clear();
    ca.handlers.set('account', json({}, 500));
    await order();
    expect(ca.asked.get('account')).toBe(2);
  });

  it('is given up when the CA goes on refusing nonces', async () => {
    ca.handlers.set('order', json({ type: 'urn:ietf:params:acme:error:badNonce', detail: 'bad' }, 400));
    await order();
    expect(ca.asked.get('order')).toBeLessThan(30);
  });
});

describe('what the CA says', () => {
  it('about a rate limit is kept: its words, when to come back, and where it is explained', async () => {
    ca.handlers.set(
      'order',
      json({ type: 'urn:ietf:params:acme:error:rateLimited', detail: 'too many certificates' }, 429, {
        'retry-after': '3600',
        link: '<https://ca.example/directory>;rel="index", <https://ca.example/rate-limits>;rel="help"',
      }),
    );
    const error = await order();
    expect(error).toMatchObject({
      kind: 'rate-limited',
      retryAfterMs: 3_600_000,
      link: 'https://ca.example/rate-limits',
    });
    expect(error.message).toMatch(/too many certificates \(rateLimited\)/);
  });

  it('about coming back in a hundred years is cut to a week', async () => {
    ca.handlers.set('order', json({}, 429, { 'retry-after': '999999999' }));
    expect((await order()).retryAfterMs).toBe(7 * 86_400_000);
  });

  it('is cut and escaped before it stands in a message', async () => {
    const detail = `\u001b[2J\u202e\n${'x'.repeat(10_000)}`;
    ca.handlers.set('order', json({ type: 'urn:ietf:params:acme:error:malformed', detail }, 400));
    const error = await order();
    expect(error.kind).toBe('refused');
    expect(error.message).toContain('\\u001b[2J\\u202e\\u000a');
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    expect(error.message).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
    expect(error.message.length).toBeLessThan(700);
  });
});

describe('a CA that asks for something else', () => {
  const authorization =
    (change: object): Handler =>
    (request, response, url) => {
      const challenges = [{ type: 'http-01', url: `${url}/challenge`, token: 'tok', status: 'pending' }];
      const usual = { status: 'pending', identifier: { type: 'dns', value: 'a.example.com' }, challenges };
      json({ ...usual, ...change })(request, response, url);
    };
  it.each([
    ['a name that was not ordered', { identifier: { type: 'dns', value: 'victim.example.com' } }],
    ['an address that was not ordered', { identifier: { type: 'ip', value: '10.0.0.1' } }],
    ['a path as a token', { challenges: [{ type: 'http-01', url: 'https://127.0.0.1:1/', token: '../../etc/x' }] }],
  ])('such as %s presents nothing', async (_what, change) => {
    ca.handlers.set('authorization', authorization(change));
    const presented: unknown[] = [];
    const issuer = createTestIssuer(
      {
        type: 'http-01',
        answerer: { present: async (challenge) => (presented.push(challenge), async () => undefined) },
      },
      { clock: CLOCK },
    );
    expect((await order(issuer)).kind).toBe('garbage');
    expect(presented).toEqual([]);
  });

  it('such as another challenge says which', async () => {
    ca.handlers.set(
      'authorization',
      authorization({ challenges: [{ type: 'dns-01', url: `${ca.url}/c`, token: 'tok' }] }),
    );
    const error = await order();
    expect(error).toMatchObject({ kind: 'challenge', message: expect.stringContaining('only by dns-01') });
  });

  it.each(['http://127.0.0.1:1/nonce', 'file:///etc/passwd', 'https://user:secret@127.0.0.1/', 5, null])(
    'such as a step at %j is not followed',
    async (newNonce) => {
      ca.handlers.set('directory', json({ newNonce, newAccount: `${ca.url}/account`, newOrder: `${ca.url}/order` }));
      const error = await order();
      expect(error.kind).toBe('garbage');
      expect(error.message).not.toContain('secret');
    },
  );

  it('such as a million authorizations is not asked for them', async () => {
    const authorizations = new Array(5_000).fill(`${ca.url}/authorization`);
    ca.handlers.set(
      'order',
      json({ status: 'pending', authorizations, finalize: 'x' }, 201, { location: `${ca.url}/order/1` }),
    );
    expect((await order()).kind).toBe('garbage');
    expect(ca.asked.get('authorization')).toBeUndefined();
  });

  it('is noticed when it issues a certificate for another key', async () => {
    expect(await order()).toMatchObject({ kind: 'garbage', message: expect.stringContaining('for another key') });
  });
});

describe('an answer to a challenge', () => {
  it('is taken away when the CA refuses it', async () => {
    ca.handlers.set('challenge', json({ type: 'urn:ietf:params:acme:error:malformed', detail: 'no' }, 400));
    expect((await order()).kind).toBe('refused');
  });

  it('that comes after the order was ended is taken away too', async () => {
    const controller = new AbortController();
    let release = (): void => undefined;
    let removed = 0;
    const issuer = createTestIssuer(
      {
        type: 'http-01',
        answerer: {
          async present() {
            controller.abort();
            await new Promise<void>((resolve) => (release = resolve));
            return async () => {
              removed += 1;
            };
          },
        },
      },
      { clock: CLOCK },
    );
    const ended = await failure(issuer.order(ca.directory, { names: ['a.example.com'], signal: controller.signal }));
    expect(ended.kind).toBe('timeout');
    release();
    await expect.poll(() => removed).toBe(1);
  });

  it('that cannot be given is a failure of the challenge, with its hint', async () => {
    const issuer = createTestIssuer({ kind: 'http-01', listen: '192.0.2.1:80' }, { clock: CLOCK });
    expect(await order(issuer)).toMatchObject({
      kind: 'challenge',
      message: expect.stringContaining('cannot listen on'),
    });
  });
});

describe('the way to the CA', () => {
  it('is verified: a certificate of nobody known is refused', async () => {
    const error = await failure(newIssuer().order({ ...ca.directory, ca: null }, { names: ['a.example.com'] }));
    expect(error).toMatchObject({ kind: 'unreachable', message: expect.stringContaining('is not trusted') });
    expect(ca.asked.size).toBe(0);
  });

  it('that leads nowhere is unreachable', async () => {
    const error = await failure(
      newIssuer().order({ ...ca.directory, url: 'https://127.0.0.1:1/directory' }, { names: ['a.example.com'] }),
    );
    expect(error).toMatchObject({ kind: 'unreachable', message: expect.stringContaining('ECONNREFUSED') });
  });

  it('is left at once when the order is ended', async () => {
    const controller = new AbortController();
    ca.handlers.set('directory', () => {
      controller.abort();
    });
    const issuer = createTestIssuer({ type: 'http-01', answerer }, { clock: hurriedClock(1) });
    const error = await failure(issuer.order(ca.directory, { names: ['a.example.com'], signal: controller.signal }));
    expect(error).toMatchObject({ kind: 'timeout', message: 'the order was ended before the CA was done' });
  });
});

describe('renewal information', () => {
  const ask = ({ issuer } = newIssuer(PATIENT_CLOCK)): Promise<unknown> => issuer.renewalInfo(ca.directory, ca.cert);

  it('is asked for without an account', async () => {
    expect(await ask()).toMatchObject({ start: Date.UTC(2026, 0, 1), end: Date.UTC(2026, 0, 2), explanationUrl: null });
    expect([...ca.asked.keys()].toSorted()).toEqual(['directory', 'renewal']);
  });

  it('is null when the CA gives none', async () => {
    ca.handlers.set('directory', json({ newNonce: `${ca.url}/nonce` }));
    expect(await ask()).toBeNull();
  });

  it.each(Object.entries(FAULTS))('answered by %s fails in time', async (_name, { kind, handler }) => {
    ca.handlers.set('renewal', handler);
    expect(kind).toContain((await failure(ask(issuerFor(kind)))).kind);
  });

  it('has no link that is none', async () => {
    const suggestedWindow = { start: '2026-01-01T00:00:00Z', end: '2026-01-02T00:00:00Z' };
    ca.handlers.set('renewal', json({ suggestedWindow, explanationURL: 'javascript:alert(1)' }));
    expect(await ask()).toMatchObject({ explanationUrl: null });
  });
});
