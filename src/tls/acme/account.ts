/**
 * The account at a CA: one key for each directory, made once and kept, and the URL that the CA knows it by. Without a
 * key on disk there is no account: a crash loop must not make one account after another.
 */
import type { AcmeDirectory, StateStore } from './contract.ts';
import { openAcmeSession, type AcmeSession } from './acme-library.ts';
import { makeKey } from './key-and-request.ts';
import { AcmeFailure } from './contract.ts';
import { CaRefusal, isRecord } from './problem-document.ts';
import type { Transport } from './transport.ts';

/** Where account keys are kept; the state directory's store is one. */
export type AccountStore = Pick<StateStore, 'readAccountKey' | 'writeAccountKey'>;

export interface Accounts {
  /** A session of the account with this directory, which is made when the CA knows none. @throws {AcmeFailure} */
  open(directory: AcmeDirectory, transport: Transport, tell: (detail: string) => void): Promise<AcmeSession>;
  /** The CA does not know the account any longer: the next session asks anew. */
  forget(directory: AcmeDirectory): void;
}

export function createAccounts(store: AccountStore, email: string | null): Accounts {
  /** directory → URL of the account, for as long as the process lives. */
  const known = new Map<string, string>();
  /** directory → the last opening: one after the other, so that two orders at once make one account. */
  const turns = new Map<string, Promise<unknown>>();

  const contact = email === null ? [] : [`mailto:${email}`];

  const openOne = async (
    directory: AcmeDirectory,
    transport: Transport,
    tell: (detail: string) => void,
  ): Promise<AcmeSession> => {
    const kept = await store.readAccountKey(directory.url);
    const key = kept ?? (await store.writeAccountKey(directory.url, await makeKey('p256')));
    const session = await openAcmeSession(directory, { key, url: known.get(directory.url) ?? null }, transport);
    if (known.has(directory.url)) return session;
    // Asked for first: a binding to an external account is often good for one registration only.
    const account = kept === null ? null : await lookUp(session);
    if (account === null) {
      await session.call((client) =>
        client.createAccount({ termsOfServiceAgreed: true, ...(email === null ? {} : { contact }) }),
      );
      tell(`a new account was made at ${directory.name}`);
    } else if (!isContact(account.document, contact)) {
      await updateContact(session, contact, directory, tell);
    }
    known.set(directory.url, await session.call(async (client) => client.getAccountUrl()));
    return session;
  };

  return {
    open(directory, transport, tell) {
      const mine = (turns.get(directory.url) ?? Promise.resolve()).then(() => openOne(directory, transport, tell));
      turns.set(
        directory.url,
        mine.catch(() => undefined),
      );
      return mine;
    },
    forget(directory) {
      known.delete(directory.url);
    },
  };
}

export function isUnknownAccount(error: unknown): boolean {
  return error instanceof CaRefusal && error.problemType === 'accountDoesNotExist';
}

/** null: the CA knows no account of this key. */
async function lookUp(session: AcmeSession): Promise<{ readonly document: unknown } | null> {
  try {
    return { document: await session.call((client) => client.createAccount({ onlyReturnExisting: true })) };
  } catch (error) {
    if (isUnknownAccount(error)) return null;
    throw error;
  }
}

/** Whether the CA has the address that is configured. One that keeps none does not say (RFC 8555 §7.1.2: optional). */
function isContact(document: unknown, contact: readonly string[]): boolean {
  const kept = isRecord(document) ? document['contact'] : undefined;
  return JSON.stringify(Array.isArray(kept) ? kept : []) === JSON.stringify(contact);
}

/** An address that the CA does not take is told, and does not stand in the way of a certificate. */
async function updateContact(
  session: AcmeSession,
  contact: string[],
  { name }: AcmeDirectory,
  tell: (detail: string) => void,
): Promise<void> {
  try {
    await session.call((client) => client.updateAccount({ contact }));
    tell(`the contact of the account at ${name} was brought up to date`);
  } catch (error) {
    if (!(error instanceof AcmeFailure) || (error.kind !== 'account' && error.kind !== 'refused')) throw error;
    tell(`${name} did not take the contact: ${error.message}`);
  }
}
