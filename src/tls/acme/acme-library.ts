/**
 * The one file that knows acme-client. It is loaded when an order is due (its import costs 150 ms), only its low-level
 * calls are used, and everything it sends goes through our transport: its own has no time-outs, a global agent and
 * global retries of several minutes.
 */
import { AcmeFailure } from './contract.ts';
import type { AcmeDirectory } from './contract.ts';
import { caText } from './problem-document.ts';
import type { Method, Transport } from './transport.ts';

/** A server under test refuses every second nonce; a real one none. Each costs a request. */
const MOST_NONCES = 20;
/** Of one call, nonces included. The library asks for ever for an account that a CA made without saying where it is. */
const MOST_REQUESTS = 64;

export interface AcmeOrder {
  readonly url: string;
  readonly status: string;
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly certificate?: string;
  readonly error?: unknown;
}

/** What is used of acme-client's Client; its answers are whatever the CA sent, and judged in order-document.ts. */
export interface AcmeLibraryClient {
  getAccountUrl(): string;
  createAccount(data: {
    termsOfServiceAgreed?: boolean;
    onlyReturnExisting?: boolean;
    contact?: string[];
  }): Promise<unknown>;
  updateAccount(data: { contact: string[] }): Promise<unknown>;
  createOrder(data: {
    identifiers: { type: string; value: string }[];
    profile?: string;
    replaces?: string;
  }): Promise<unknown>;
  getOrder(order: { url: string }): Promise<unknown>;
  getAuthorizations(order: { authorizations: readonly string[] }): Promise<unknown[]>;
  completeChallenge(challenge: { url: string }): Promise<unknown>;
  finalizeOrder(order: { url: string; finalize: string }, csr: string): Promise<unknown>;
  getCertificate(order: { status: string; certificate: string }): Promise<unknown>;
  getChallengeKeyAuthorization(challenge: { type: string; token: string }): Promise<string>;
}

interface HttpInternals {
  request(url: string, method: Method, options?: { data?: unknown }): Promise<unknown>;
  getDirectory(): Promise<unknown>;
  maxBadNonceRetries: number;
}

export interface AcmeSession {
  /** Every call; what goes wrong in it is an AcmeFailure. */
  call<T>(work: (client: AcmeLibraryClient) => Promise<T>): Promise<T>;
  /** The directory object as the CA sent it (RFC 8555 §7.1.1). */
  directory(): Promise<unknown>;
}

/** Opens the library for one account of one directory. `accountKey` is PEM. */
export async function openAcmeSession(
  directory: AcmeDirectory,
  account: { readonly key: string; readonly url: string | null },
  transport: Transport,
): Promise<AcmeSession> {
  const { Client } = await import('acme-client');
  const { externalAccount } = directory;
  const client = new Client({
    directoryUrl: directory.url,
    accountKey: account.key,
    ...(account.url === null ? {} : { accountUrl: account.url }),
    ...(externalAccount === null
      ? {}
      : { externalAccountBinding: { kid: externalAccount.keyId, hmacKey: externalAccount.hmacKey } }),
  });
  const { http } = client as unknown as { http?: HttpInternals };
  // A release that keeps its transport elsewhere must not be asked to send anything.
  if (typeof http?.request !== 'function' || typeof http.maxBadNonceRetries !== 'number') {
    throw new TypeError('this release of acme-client is not the one that promgate was made for');
  }
  http.maxBadNonceRetries = MOST_NONCES;
  let requests = 0;
  http.request = async (url, method, options) => {
    requests += 1;
    if (requests > MOST_REQUESTS) throw new AcmeFailure('garbage', 'the CA leads in a circle');
    return transport.request(url, method, method === 'post' ? { data: options?.data } : {});
  };
  const call = async <T>(work: () => Promise<T>): Promise<T> => {
    requests = 0;
    try {
      return await work();
    } catch (error) {
      if (error instanceof AcmeFailure) throw error;
      // The library stumbles over answers of another shape than RFC 8555 gives them; its words may be the CA's.
      const words = error instanceof TypeError ? 'an answer is not what RFC 8555 describes' : messageOf(error);
      throw new AcmeFailure('garbage', `the CA cannot be understood: ${words}`);
    }
  };
  return {
    call: (work) => call(() => work(client as unknown as AcmeLibraryClient)),
    directory: () => call(() => http.getDirectory()),
  };
}

function messageOf(error: unknown): string {
  return caText(error instanceof Error ? error.message : 'unknown error');
}
