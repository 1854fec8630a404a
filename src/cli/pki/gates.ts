/** What `pki rotate` asks the running gates: which CAs they trust, and when they last saw a certificate of each. */
import * as z from 'zod';
import { parseListenAddress } from '../../formats/listen-address.ts';
import type { ListenAddress } from '../../formats/listen-address.ts';
import { PromgateError } from '../../lib/errors.ts';
import { quoteForeign } from '../../lib/foreign-text.ts';
import type { ClientCaReport } from '../../observe/client-ca-usage.ts';
import { readAdminAddress } from '../admin-address.ts';
import { askAdmin } from '../admin-client.ts';

const TIMEOUT_MS = 5000;

const ANSWER = z.object({
  client_cas: z.array(
    z.object({
      fingerprint: z.string(),
      subject: z.string(),
      watchedSeconds: z.number(),
      seenSecondsAgo: z.number().nullable(),
      last: z.object({ name: z.string(), address: z.string() }).nullable(),
    }),
  ),
});

export interface AskedGate {
  readonly address: string;
  readonly cas: readonly ClientCaReport[];
}

export interface GateAddresses {
  /** Admin addresses; without any that of the configuration. */
  readonly admin: readonly string[];
  readonly configFile: string;
}

/** @throws {PromgateError} USAGE, CONFIG_UNREADABLE, CONFIG_INVALID, or ADMIN_UNREACHABLE when it is switched off. */
export async function gateAddresses({ admin, configFile }: GateAddresses): Promise<readonly ListenAddress[]> {
  if (admin.length === 0) return [await readAdminAddress(configFile)];
  return admin.map((text) => {
    const address = parseListenAddress(text);
    if (address.ok) return address.value;
    throw new PromgateError('USAGE', `${quoteForeign(text)} is not an address`, {
      hint: 'an admin address is HOST:PORT or unix:/path',
    });
  });
}

/** @throws {PromgateError} ADMIN_UNREACHABLE when one of them does not answer. */
export async function askGates(addresses: readonly ListenAddress[]): Promise<readonly AskedGate[]> {
  return Promise.all(addresses.map(askGate));
}

async function askGate(address: ListenAddress): Promise<AskedGate> {
  const { status, body } = await askAdmin(address, { method: 'GET', path: '/api/client-cas', timeoutMs: TIMEOUT_MS });
  const answer = status === 200 ? ANSWER.safeParse(jsonOf(body)) : null;
  if (answer?.success !== true) {
    throw new PromgateError('ADMIN_UNREACHABLE', `the gate at ${address.text} answered ${String(status)}`, {
      hint: 'this needs its own /api/client-cas: is it a promgate of this version, asked on loopback or a unix socket?',
    });
  }
  return { address: address.text, cas: answer.data.client_cas };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const DAY_SECONDS = 86_400;

/** A CA as the gates know it. */
export interface KnownCa {
  readonly fingerprint: string;
}

/** The gates that would refuse what the new CA issues: they trust the old one and not the new one. */
export function gatesWithoutNew(gates: readonly AskedGate[], old: KnownCa, next: KnownCa): readonly string[] {
  const has = ({ cas }: AskedGate, ca: KnownCa): boolean => cas.some((one) => one.fingerprint === ca.fingerprint);
  return gates.filter((gate) => has(gate, old) && !has(gate, next)).map(({ address }) => address);
}

export interface Reason {
  readonly text: string;
  /** What helps. */
  readonly hint: string | null;
}

/** Why the old CA must not go yet, gate by gate; empty when nothing is against it. */
export function reasonsToKeep(gates: readonly AskedGate[], old: KnownCa, next: KnownCa): readonly Reason[] {
  const without = gatesWithoutNew(gates, old, next);
  return gates.flatMap(({ address, cas }) => {
    const ca = cas.find(({ fingerprint }) => fingerprint === old.fingerprint);
    // A gate that does not trust it loses nothing.
    if (ca === undefined) return [];
    if (without.includes(address)) {
      return [{ text: `the gate at ${address} does not trust the new CA`, hint: 'copy ca.crt and ca.crl there' }];
    }
    const { seenSecondsAgo: seen, watchedSeconds: watched, last } = ca;
    if (seen !== null && seen < DAY_SECONDS) {
      const who = last === null ? '' : `: ${quoteForeign(last.name)} from ${quoteForeign(last.address)}`;
      return [
        {
          text: `the gate at ${address} saw a client certificate of the old CA ${timeText(seen)} ago${who}`,
          hint: 'a connection keeps the certificate that it was opened with: max_connection_age or a restart of the client ends it',
        },
      ];
    }
    if (watched < DAY_SECONDS) {
      return [
        {
          text: `the gate at ${address} has looked for ${timeText(watched)} only: it cannot know of 24 hours`,
          hint: 'try again when it has run for 24 h',
        },
      ];
    }
    return [];
  });
}

function timeText(seconds: number): string {
  if (seconds < 120) return `${String(seconds)} s`;
  if (seconds < 7200) return `${String(Math.floor(seconds / 60))} min`;
  return `${String(Math.floor(seconds / 3600))} h`;
}
