/** What a rule over several keys sees, and the two ways to state a problem. Rules are pure. */
import type { DocumentPath, Problem } from '../../lib/problem.ts';
import type { Authenticate, ClientAuthType, KeyPair, ListenAddress, Users } from '../config.ts';
import type { Raw } from '../schema.ts';

export interface RuleInput {
  readonly raw: Raw;
  readonly authentication: Authentication;
  /** What is listened on in the end: the command line may replace `listen_addresses`. */
  readonly listen: readonly ListenAddress[];
  readonly listenFromFile: boolean;
  /** null when their files could not be read: that is a problem already. */
  readonly users: Users | null;
  readonly pairs: readonly KeyPair[] | null;
  readonly nodeMajor: number;
  /** Addresses of this machine's interfaces, canonical. */
  readonly ownAddresses: ReadonlySet<string>;
}

export interface Authentication {
  readonly authenticate: Authenticate;
  readonly clientAuthType: ClientAuthType;
  readonly hasUsers: boolean;
  readonly hasClientCa: boolean;
  readonly hasTls: boolean;
}

export type Rule = (input: RuleInput) => readonly Problem[];

/** What replaces `listen_addresses`: its problems have no place in the file. */
export const LISTEN_FLAG = '--web.listen-address';

interface Details {
  readonly hint?: string;
  readonly at?: 'key' | 'value' | 'map';
}

export function error(message: string, path?: DocumentPath, details: Details = {}): Problem {
  return { severity: 'error', message, ...(path === undefined ? {} : { path }), ...details };
}

export function warning(message: string, path: DocumentPath, details: Details = {}): Problem {
  return { severity: 'warning', message, path, ...details };
}
