/**
 * One order, from account to certificate (RFC 8555 §7.4). Every step has a deadline and so has the whole; whatever goes
 * wrong is an AcmeFailure, and what was presented is taken away again. Keeps nothing: the key is the caller's to store.
 */
import type { LookupFunction } from 'node:net';
import { isIP } from 'node:net';
import { keyMatches, parseCertificates } from '../../formats/x509.ts';
import { normalizeAddress } from '../../formats/address.ts';
import type { Clock } from '../../lib/clock.ts';
import { PromgateError } from '../../lib/errors.ts';
import { createAccounts, isUnknownAccount, type Accounts, type AccountStore } from './account.ts';
import type { AcmeSession } from './acme-library.ts';
import { proveNames, type ChallengeType } from './authorizations.ts';
import {
  AcmeFailure,
  type ChallengeAnswerer,
  type Issuer,
  type OrderRequest,
  type WantedCertificate,
} from './contract.ts';
import { makeKey, makeRequest } from './key-and-request.ts';
import { profilesOf, readChain, readOrder, renewalInfoOf, type OrderDocument } from './order-document.ts';
import { CaRefusal, caText, describeProblem } from './problem-document.ts';
import { fetchRenewalInfo } from './renewal-info.ts';
import { createTransport, pauseFor, type Transport } from './transport.ts';

const ORDER_MS = 600_000;
const ISSUE_MS = 180_000;
const LONGEST_POLL_MS = 10_000;

export interface IssuerPorts {
  readonly clock: Clock;
  readonly accounts: AccountStore;
  readonly email: string | null;
  readonly challenge: { readonly type: ChallengeType; readonly answerer: ChallengeAnswerer };
  /** Host names of CAs to addresses; the system's resolver without it. */
  readonly lookup?: LookupFunction;
}

export function createIssuer(ports: IssuerPorts): Issuer {
  const { clock, lookup } = ports;
  const accounts = createAccounts(ports.accounts, ports.email);
  return {
    async order(request) {
      const controller = new AbortController();
      const onAbort = (): void => {
        controller.abort(new AcmeFailure('timeout', 'the order was ended before the CA was done'));
      };
      if (request.signal.aborted) onAbort();
      request.signal.addEventListener('abort', onAbort, { once: true });
      const timer = clock.after(
        ORDER_MS,
        () => {
          controller.abort(new AcmeFailure('timeout', `the order was not done within ${ORDER_MS / 60_000} minutes`));
        },
        { ref: true },
      );
      const { signal } = controller;
      const transport = createTransport({ clock, ca: request.directory.ca, signal, lookup });
      try {
        return await runOrder({ ...request, signal, progress: guarded(request) }, { ...ports, accounts, transport });
      } catch (error) {
        throw failureOf(error);
      } finally {
        timer.cancel();
        request.signal.removeEventListener('abort', onAbort);
        transport.close();
      }
    },
    renewalInfo: (directory, cert) => fetchRenewalInfo(directory, cert, { clock, lookup }),
  };
}

interface Running extends Omit<IssuerPorts, 'accounts'> {
  readonly accounts: Accounts;
  readonly transport: Transport;
}

async function runOrder(request: OrderRequest, running: Running): Promise<{ cert: string; key: string }> {
  const { wanted, signal, progress } = request;
  const { clock, transport, challenge } = running;
  const { session, order } = await openOrder(request, running);
  await proveNames(order.authorizations, wanted, {
    session,
    ...challenge,
    clock,
    signal,
    retryAfterMs: () => transport.lastRetryAfterMs(),
    progress,
  });
  const ready = await awaitStatus(order, ['ready', 'valid'], session, running, signal);
  progress('issue', `asking for a certificate with a new ${wanted.keyType} key`);
  const key = await makeKey(wanted.keyType);
  const csr = await makeRequest(wanted.names, key);
  const finalized = readOrder(await session.call((client) => client.finalizeOrder(ready, csr)));
  const { certificate } = await awaitStatus({ ...finalized, url: order.url }, ['valid'], session, running, signal);
  if (certificate === null)
    throw new AcmeFailure('garbage', 'the CA issued a certificate and does not say where it is');
  const cert = readChain(await session.call((client) => client.getCertificate({ status: 'valid', certificate })));
  checkIssued(cert, key, wanted);
  progress('issued', caText(describeChain(cert)));
  return { cert, key };
}

interface Opened {
  readonly session: AcmeSession;
  readonly order: OrderDocument;
}

/** Makes the order; once more when the CA has lost the account, and without `replaces` when the CA will not have it. */
async function openOrder(request: OrderRequest, running: Running): Promise<Opened> {
  const { directory, wanted, progress } = request;
  const open = async (replaces: string | null): Promise<Opened> => {
    progress('account', `asking ${directory.name}`);
    const session = await running.accounts.open(directory, running.transport, (detail) => {
      progress('account', detail);
    });
    const offered = await session.directory();
    const profile = chooseProfile(wanted, offered, progress);
    progress('order', wanted.names.join(', '));
    const data = {
      identifiers: wanted.names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
      ...(profile === null ? {} : { profile }),
      // Only a CA that gives renewal information knows the field (RFC 9773 §5).
      ...(replaces === null || renewalInfoOf(offered) === null ? {} : { replaces }),
    };
    return { session, order: readOrder(await session.call((client) => client.createOrder(data))) };
  };
  const withAccount = async (replaces: string | null): Promise<Opened> => {
    try {
      return await open(replaces);
    } catch (error) {
      if (!isUnknownAccount(error)) throw error;
      progress('account', `${directory.name} does not know the account any longer`);
      running.accounts.forget(directory);
      return open(replaces);
    }
  };
  try {
    return await withAccount(request.replaces);
  } catch (error) {
    // A certificate that was replaced already, belongs to another account, or makes the CA stumble: the new one is wanted
    // all the same.
    if (request.replaces === null || !isAnswerToOrder(error)) throw error;
    progress('order', `without naming the certificate that it replaces: ${error.message}`);
    return withAccount(null);
  }
}

/** Whether the CA has answered, and neither asks to wait nor has something against the account. */
function isAnswerToOrder(error: unknown): error is CaRefusal {
  return error instanceof CaRefusal && (error.kind === 'refused' || error.kind === 'unreachable');
}

/** A profile decides how long a certificate lives: one that the CA does not know must not become another one in silence. */
function chooseProfile(
  { profile }: WantedCertificate,
  directory: unknown,
  progress: OrderRequest['progress'],
): string | null {
  if (profile === null) return null;
  const offered = profilesOf(directory);
  if (offered === null) {
    progress('order', `the CA knows no profiles; "${profile}" is left out`);
    return null;
  }
  if (offered.includes(profile)) return profile;
  throw new AcmeFailure('refused', `the CA has no profile "${profile}", only ${caText(offered.join(', '))}`);
}

async function awaitStatus(
  order: OrderDocument,
  wanted: readonly string[],
  session: AcmeSession,
  { clock, transport }: Running,
  signal: AbortSignal,
): Promise<OrderDocument> {
  const until = clock.monotonic() + ISSUE_MS;
  let now = order;
  for (let pause = 250; !wanted.includes(now.status); pause = Math.min(pause * 2, LONGEST_POLL_MS / 2)) {
    // An order turns from pending to ready by itself once the last name is proved.
    if (now.status !== 'pending' && now.status !== 'processing' && now.status !== 'ready') {
      const words = describeProblem(now.error) ?? 'the CA does not say why';
      throw new AcmeFailure('refused', `the order became ${caText(now.status)}: ${words}`);
    }
    if (clock.monotonic() > until)
      throw new AcmeFailure('timeout', `the CA did not finish within ${ISSUE_MS / 1000} s`);
    // What was just answered is not asked again at once; what may have changed meanwhile is.
    if (now !== order || now.status !== 'pending') {
      await pauseFor(clock, Math.min(Math.max(transport.lastRetryAfterMs() ?? pause, pause), LONGEST_POLL_MS), signal);
    }
    now = readOrder(await session.call((client) => client.getOrder({ url: order.url })));
  }
  return now;
}

/** What was bought must be what was ordered: for our key, and for every name. */
function checkIssued(cert: string, key: string, { names }: WantedCertificate): void {
  const chain = parseCertificates(cert);
  const leaf = chain.ok ? chain.value[0] : undefined;
  if (leaf === undefined) throw new AcmeFailure('garbage', 'the CA issued something that is no certificate');
  if (!keyMatches(cert, key).ok) throw new AcmeFailure('garbage', 'the CA issued a certificate for another key');
  const missing = names.find((name) =>
    isIP(name) === 0
      ? !leaf.sans.dns.includes(name.toLowerCase())
      : !leaf.sans.ip.some((address) => normalizeAddress(address) === normalizeAddress(name)),
  );
  if (missing !== undefined) throw new AcmeFailure('garbage', `the CA issued a certificate without ${missing}`);
}

function describeChain(cert: string): string {
  const chain = parseCertificates(cert);
  const [leaf] = chain.ok ? chain.value : [];
  return leaf === undefined ? '' : `by ${leaf.issuer}, valid until ${new Date(leaf.notAfter).toISOString()}`;
}

/** A listener that throws must not end an order. */
function guarded({ progress }: OrderRequest): OrderRequest['progress'] {
  return (step, detail) => {
    try {
      progress(step, caText(detail));
    } catch {
      return;
    }
  };
}

function failureOf(error: unknown): Error {
  if (error instanceof AcmeFailure) return error;
  // A full disk, before the CA was asked for anything.
  if (error instanceof PromgateError) {
    const hint = error.hint === undefined ? '' : `; ${error.hint}`;
    return new AcmeFailure('account', `${error.message}${hint}`, { cause: error });
  }
  return new AcmeFailure('garbage', caText(error instanceof Error ? error.message : 'unknown error'), { cause: error });
}
