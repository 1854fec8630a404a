/**
 * The account at a CA: one key for each directory, made once and kept, and the URL that the CA knows it by. Without a
 * key on disk there is no account: a crash loop must not make one account after another.
 */
import type { AcmeDirectory, StateStore } from './contract.ts';
import { openAcmeSession, type AcmeSession } from './acme-library.ts';
import { makeKey } from './key-and-request.ts';
import { CaRefusal } from './problem-document.ts';
import type { Transport } from './transport.ts';

/** Where account keys are kept; the state directory's store is one. */
export type AccountStore = Pick<StateStore, 'readAccountKey' | 'writeAccountKey'>;

export interface Accounts {
  /** A session of the account with this directory, which is made when the CA knows none. @throws {AcmeFailure} */
  open(directory: AcmeDirectory, transport: Transport, onMade: () => void): Promise<AcmeSession>;
  /** The CA does not know the account any longer: the next session asks anew. */
  forget(directory: AcmeDirectory): void;
}

export function createAccounts(store: AccountStore, email: string | null): Accounts {
  /** directory → URL of the account, for as long as the process lives. */
  const known = new Map<string, string>();
  /** directory → the last opening: one after the other, so that two orders at once make one account. */
  const turns = new Map<string, Promise<unknown>>();

  const openOne = async (directory: AcmeDirectory, transport: Transport, onMade: () => void): Promise<AcmeSession> => {
    const kept = await store.readAccountKey(directory.url);
    const key = kept ?? (await store.writeAccountKey(directory.url, await makeKey('p256')));
    const session = await openAcmeSession(directory, { key, url: known.get(directory.url) ?? null }, transport);
    if (known.has(directory.url)) return session;
    // Asked for first: a binding to an external account is often good for one registration only.
    if (kept === null || !(await isKnown(session))) {
      await session.call((client) =>
        client.createAccount({
          termsOfServiceAgreed: true,
          ...(email === null ? {} : { contact: [`mailto:${email}`] }),
        }),
      );
      onMade();
    }
    known.set(directory.url, await session.call(async (client) => client.getAccountUrl()));
    return session;
  };

  return {
    open(directory, transport, onMade) {
      const mine = (turns.get(directory.url) ?? Promise.resolve()).then(() => openOne(directory, transport, onMade));
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

async function isKnown(session: AcmeSession): Promise<boolean> {
  try {
    await session.call((client) => client.createAccount({ onlyReturnExisting: true }));
    return true;
  } catch (error) {
    if (isUnknownAccount(error)) return false;
    throw error;
  }
}
