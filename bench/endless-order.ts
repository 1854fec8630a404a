/** An ACME CA that takes an order and never looks whether the name is proved: a challenge stays pending. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { json, startFaultyCa } from '../test/support/faulty-ca.ts';
import { poll } from '../test/support/poll.ts';
import type { Lab } from './lab.ts';

export interface EndlessOrder {
  /** Lines of promgate.yml at the top level. */
  readonly keys: readonly string[];
  /** Resolves once the gate has said that the CA may look. */
  pending(): Promise<void>;
  close(): Promise<void>;
}

/** Also in the certificate of the lab, which is served meanwhile. */
export const DOMAIN = 'gate.example.com';

export async function startEndlessOrder(lab: Lab): Promise<EndlessOrder> {
  const ca = await startFaultyCa();
  const challenge = { type: 'tls-alpn-01', url: `${ca.url}/challenge`, token: 'tok', status: 'pending' };
  const identifier = { type: 'dns', value: DOMAIN };
  ca.handlers.set('authorization', json({ status: 'pending', identifier, challenges: [challenge] }));
  ca.handlers.set('challenge', json({ ...challenge, status: 'processing' }));
  const caFile = join(lab.directory, 'acme-ca.pem');
  await writeFile(caFile, ca.directory.ca ?? '');
  const state = join(lab.directory, `acme-${new URL(ca.url).port}`);
  return {
    keys: [
      'acme:',
      `  directory_url: ${ca.directory.url}`,
      `  ca_file: ${caFile}`,
      `  domains: [${DOMAIN}]`,
      '  challenge: {type: tls-alpn-01}',
      `  state_dir: ${state}`,
    ],
    pending: async () => {
      await poll('a pending challenge', () => (ca.asked.get('challenge') ?? 0) > 0, { deadlineMs: 30_000 });
    },
    close: () => ca.close(),
  };
}
