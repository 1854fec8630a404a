/** `promgate healthcheck`: exit 0 when the running gate is ready; for HEALTHCHECK of a container. */
import { escapeNonPrintable } from '../../lib/foreign-text.ts';
import { readAdminAddress } from '../admin-address.ts';
import { askAdmin } from '../admin-client.ts';
import { printError, type Terminal } from '../terminal.ts';

export interface HealthcheckOptions {
  readonly configFile: string;
}

const TIMEOUT_MS = 3000;

/** @throws PromgateError when the gate cannot be asked. */
export async function healthcheckCommand({ configFile }: HealthcheckOptions, terminal: Terminal): Promise<number> {
  const address = await readAdminAddress(configFile);
  const { status, body } = await askAdmin(address, { method: 'GET', path: '/-/ready', timeoutMs: TIMEOUT_MS });
  // Warnings have lines of their own.
  const text = body.trimEnd().split('\n').map(escapeNonPrintable).join('\n');
  if (status === 200) {
    terminal.out(text);
    return 0;
  }
  printError(terminal, text);
  return 1;
}
