/** An origin that answers when the test says so, and a gate in front of it that shares. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ScrapeSettings, Upstream } from '../../../../src/config/config.ts';
import type { Identity } from '../../../../src/request/identity.ts';
import { upstreamAt } from '../../../support/config-fixture.ts';
import { startGate, startOrigin } from '../gate-fixture.ts';
import type { GateOptions, Origin, TestGate } from '../gate-fixture.ts';

export interface Stage {
  readonly origin: Origin;
  readonly gate: TestGate;
  /** What the origin has to answer, oldest first. */
  readonly asked: { readonly request: IncomingMessage; readonly response: ServerResponse }[];
}

export interface StageOptions extends Omit<GateOptions, 'upstream'> {
  readonly scrape?: Partial<ScrapeSettings>;
  readonly upstream?: Partial<Upstream>;
  /** How the origin answers; without it the test does. */
  readonly answer?: (request: IncomingMessage, response: ServerResponse) => void;
  /** What closes when the test is over. */
  readonly closing: (() => Promise<void>)[];
}

/** Identities come from the header `x-who`, which never goes upstream. */
export async function setStage({ scrape, upstream, answer, closing, ...options }: StageOptions): Promise<Stage> {
  const asked: Stage['asked'] = [];
  const origin = await startOrigin((request, response) => {
    if (answer === undefined) asked.push({ request, response });
    else answer(request, response);
  });
  closing.push(() => origin.close());
  const settings: ScrapeSettings = {
    compression: 'upstream',
    compressionLevel: 1,
    share: 'identity',
    maxAgeMs: 0,
    ...scrape,
  };
  const gate = await startGate({
    upstream: upstreamAt(origin.port, { scrape: settings, ...upstream }),
    identityOf: ({ headers }) => (typeof headers['x-who'] === 'string' ? identity(headers['x-who']) : null),
    ...options,
  });
  closing.push(() => gate.close());
  return { origin, gate, asked };
}

export function identity(name: string): Identity {
  return { name, label: name, user: name, certificate: null, claim: { kind: 'open' } };
}
