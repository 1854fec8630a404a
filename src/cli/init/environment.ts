/** What `init` learns from the machine; tests hand in their own. */
import { hostname, networkInterfaces } from 'node:os';
import { systemClock } from '../../lib/clock.ts';
import type { Clock } from '../../lib/clock.ts';
import { hostAddresses } from '../host-addresses.ts';
import { probePrometheus } from '../prometheus-probe.ts';
import type { PrometheusProbe } from '../prometheus-probe.ts';

export interface InitEnvironment {
  readonly clock: Clock;
  readonly hostName: string;
  /** By which others reach this host, IPv4 first. */
  readonly addresses: readonly string[];
  /** Whether a Prometheus answers at an address. */
  readonly probe: PrometheusProbe;
}

export function systemEnvironment(): InitEnvironment {
  return {
    clock: systemClock,
    hostName: hostname(),
    addresses: hostAddresses(networkInterfaces()),
    probe: (origin) => probePrometheus(systemClock, origin),
  };
}
