/**
 * Where the running gate is asked: `admin_address` of its configuration. Reads nothing else, so that `reload` still
 * finds the gate when the rest of the file has errors.
 */
import { readFile } from 'node:fs/promises';
import { readYaml } from '../config/yaml-text.ts';
import { parseListenAddress, type ListenAddress } from '../formats/listen-address.ts';
import { PromgateError } from '../lib/errors.ts';

/** As in the schema of the configuration. */
export const DEFAULT_ADMIN_ADDRESS = '127.0.0.1:9096';

/**
 * @param configFile the configuration of the running gate.
 * @throws PromgateError CONFIG_UNREADABLE, CONFIG_INVALID, or ADMIN_UNREACHABLE when the admin address is off.
 */
export async function readAdminAddress(configFile: string): Promise<ListenAddress> {
  const text = await readFile(configFile, 'utf8').catch((cause: unknown) => {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    throw new PromgateError('CONFIG_UNREADABLE', `cannot read ${configFile}: ${code}`, {
      hint: 'name the configuration of the running gate with --config.file',
      cause,
    });
  });
  return adminAddressIn(text, configFile);
}

/** The address in the text of a configuration; the default where the key, or any YAML, is missing. */
export function adminAddressIn(text: string, configFile: string): ListenAddress {
  const written: unknown = readYaml(text).document?.get('admin_address') ?? DEFAULT_ADMIN_ADDRESS;
  if (written === 'off') {
    throw new PromgateError('ADMIN_UNREACHABLE', `admin_address is off in ${configFile}`, {
      hint: 'set admin_address, or send SIGHUP to reload',
    });
  }
  const address = typeof written === 'string' ? parseListenAddress(written) : null;
  if (address?.ok !== true) {
    throw new PromgateError('CONFIG_INVALID', `admin_address in ${configFile} is not an address`, {
      hint: 'promgate check shows every problem',
    });
  }
  return address.value;
}
