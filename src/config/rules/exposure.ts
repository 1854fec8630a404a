/**
 * A gate that anybody on the network can reach asks for credentials, and takes passwords over TLS only, unless the
 * configuration says in so many words that it should not.
 */
import { normalizeAddress } from '../../formats/address-set.ts';
import type { DocumentPath, Problem } from '../../lib/problem.ts';
import type { ListenAddress } from '../config.ts';
import { error, LISTEN_FLAG, warning } from './rule.ts';
import type { Rule, RuleInput } from './rule.ts';

/** Whether only this machine can reach it. */
export function isLocal(address: ListenAddress): boolean {
  if (address.kind === 'unix') return true;
  if (address.host === null) return false;
  if (address.host === 'localhost') return true;
  const canonical = normalizeAddress(address.host);
  return canonical !== null && (canonical.startsWith('127.') || canonical === '::1');
}

export const exposureRule: Rule = (input) => {
  const { raw, authentication, listen } = input;
  const found: Problem[] = [];
  const { authenticate, hasTls } = authentication;
  const open = listen.findIndex((address) => !isLocal(address));
  const takesPasswords = authenticate === 'password' || authenticate === 'either' || authenticate === 'both';
  if (open !== -1 && authenticate === 'none' && raw.authenticate === undefined) {
    const message = `${where(input, open)} is open to the network and nothing authenticates requests`;
    const hint =
      'set htpasswd_file, or client_ca_file with authenticate: certificate; to serve everybody write authenticate: none';
    found.push(error(message, place(input, open), { hint }));
  }
  if (open !== -1 && takesPasswords && !hasTls && !raw.plain_http) {
    const message = `${where(input, open)} is open to the network and would take passwords without TLS`;
    const hint =
      'set cert_file and key_file in tls_server_config; behind a TLS proxy of your own write plain_http: true';
    found.push(error(message, place(input, open), { hint }));
  }
  if (raw.plain_http && hasTls) {
    found.push(warning('plain_http has no effect: TLS is on', ['plain_http'], { at: 'key' }));
  }
  if (raw.tls_server_config !== undefined && !hasTls) {
    const hint = 'set cert_file and key_file';
    found.push(warning('tls_server_config has no certificate: TLS is off', ['tls_server_config'], { at: 'key', hint }));
  }
  return found;
};

function where({ listen, listenFromFile }: RuleInput, index: number): string {
  return `${listenFromFile ? '' : `${LISTEN_FLAG} `}${JSON.stringify(listen[index]?.text ?? '')}`;
}

/** The address in the file; one of the command line has no place there. */
function place({ listenFromFile }: RuleInput, index: number): DocumentPath | undefined {
  return listenFromFile ? ['listen_addresses', index] : undefined;
}
