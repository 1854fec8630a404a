/** The answerer of the challenge that is configured, and what the TLS listener must know of it. */
import type { ChallengeType } from '../authorizations.ts';
import type { ChallengeAnswerer, ChallengeSettings } from '../contract.ts';
import { createDnsHookAnswerer, type DnsHookPorts } from './dns-hook.ts';
import { createHttpListener } from './http-listener.ts';
import { createTlsAlpnAnswerer, type TlsAlpnAnswerer } from './tls-alpn.ts';
import { createWebrootAnswerer } from './webroot.ts';

export interface ConfiguredChallenge {
  readonly type: ChallengeType;
  readonly answerer: ChallengeAnswerer;
  /** With tls-alpn-01: asked by whoever accepts connections on :443. */
  readonly tlsAlpn: TlsAlpnAnswerer | null;
}

export function createAnswerer(settings: ChallengeSettings, ports: DnsHookPorts): ConfiguredChallenge {
  switch (settings.kind) {
    case 'http-01':
      return { type: 'http-01', answerer: createHttpListener(settings.listen), tlsAlpn: null };
    case 'webroot':
      return { type: 'http-01', answerer: createWebrootAnswerer(settings.directory), tlsAlpn: null };
    case 'tls-alpn-01': {
      const tlsAlpn = createTlsAlpnAnswerer(ports.clock);
      return { type: 'tls-alpn-01', answerer: tlsAlpn, tlsAlpn };
    }
    case 'dns-01':
      return { type: 'dns-01', answerer: createDnsHookAnswerer(settings, ports), tlsAlpn: null };
  }
}
