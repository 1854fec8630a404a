/** What the state directory says about the certificates of an `acme` section, when no gate is there to be asked. */
import type { AcmeSettings } from '../../config/config.ts';
import type { Clock } from '../../lib/clock.ts';
import type { CertificateStatus, Log } from '../../tls/acme/contract.ts';
import { misfit } from '../../tls/acme/pair.ts';
import { settle } from '../../tls/acme/state.ts';
import { planFor } from '../../tls/acme/wanted-plan.ts';
import { openStore } from './service.ts';

export async function readKeptStatus(settings: AcmeSettings, clock: Clock, log: Log): Promise<CertificateStatus[]> {
  const store = await openStore(settings, { clock, log });
  const directories = { real: settings.directories.map(({ url }) => url), staging: settings.staging?.url ?? null };
  const all: CertificateStatus[] = [];
  for (const wanted of settings.certificates) {
    const state = settle(await store.read(wanted), clock.now());
    const unlike = state.pair === null ? null : misfit(state.pair, state.origin, wanted);
    all.push({ wanted, state, unlike, plan: planFor(state, unlike, clock.now(), directories) });
  }
  return all;
}
