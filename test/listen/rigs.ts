/** What every test of the listener sets up: an authority, the gate's certificate, and rigs that end with their test. */
import { afterAll, afterEach, expect } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { createAuthority, type Authority, type Issued } from '../support/certificates.ts';
import { startRig, type Rig } from './harness.ts';

export interface Rigs {
  readonly authority: Authority;
  /** The gate's own certificate. */
  readonly server: Issued;
  /** Closed behind the test, when every refusal must have been logged and no connection may be left. */
  readonly start: (config: Config, clock?: Clock) => Promise<Rig>;
}

/** To be called once, at the top of a test file. */
export function useRigs(): Rigs {
  const authority = createAuthority();
  const rigs: Rig[] = [];
  afterAll(() => {
    authority.remove();
  });
  afterEach(async () => {
    for (const rig of rigs.splice(0)) {
      expect(rig.unlogged()).toEqual([]);
      await rig.listener.close();
      expect(rig.live()).toBe(0);
    }
  });
  return {
    authority,
    server: authority.issue({ name: 'gate' }),
    async start(config, clock) {
      const rig = await startRig(config, clock);
      rigs.push(rig);
      return rig;
    },
  };
}
