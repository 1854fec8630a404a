/** Rules of `enrollment`: certificates are handed out over TLS only, and only where somebody asks for them. */
import type { Problem } from '../../lib/problem.ts';
import { verifiesClients } from './authentication.ts';
import { error } from './rule.ts';
import type { Rule } from './rule.ts';

const ENROLLMENT = ['enrollment'];

export const enrollmentRule: Rule = ({ raw, authentication }) => {
  if (raw.enrollment === undefined) return [];
  const found: Problem[] = [];
  const { hasTls, clientAuthType } = authentication;
  if (!hasTls) {
    const hint = 'set cert_file and key_file in tls_server_config, or acme';
    found.push(error('enrollment needs TLS: a token would be read on the way', ENROLLMENT, { at: 'key', hint }));
  } else if (!verifiesClients(clientAuthType) && !raw.enrollment.renew_servers) {
    const message = `enrollment hands out client certificates, but client_auth_type ${clientAuthType} verifies none`;
    const hint =
      'set client_ca_file, and authenticate: certificate, either or both; or renew_servers: true where only servers get theirs';
    found.push(error(message, ENROLLMENT, { at: 'key', hint }));
  }
  return found;
};
