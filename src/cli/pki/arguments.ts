/** The `pki` group of the command line: argv → PkiAction. The library that signs is loaded when something is signed. */
import { Option } from 'commander';
import type { Command } from 'commander';
import type { PkiAction } from '../commands/pki.ts';
import type { Terminal } from '../terminal.ts';
import { addEnrollmentCommands } from './enrollment-arguments.ts';
import { collect, days, directory, keyType } from './options.ts';
import type { KEY_TYPES } from './options.ts';
import { addRotateCommand } from './rotation-arguments.ts';

const REASONS = [
  'unspecified',
  'keyCompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'privilegeWithdrawn',
] as const;

interface Flags {
  readonly directory: string;
  readonly name?: string;
  readonly permitDns?: readonly string[];
  readonly permitIp?: readonly string[];
  readonly passphrase?: boolean;
  readonly days?: number;
  readonly keyType?: (typeof KEY_TYPES)[number];
  readonly san?: readonly string[];
  readonly newKey?: boolean;
  readonly restored?: boolean;
  readonly reason?: (typeof REASONS)[number];
  readonly output?: 'table' | 'json';
}

export function addPkiCommands(program: Command, terminal: Terminal, done: (code: number) => void): void {
  const pki = program
    .command('pki')
    .description('the own CA: issue, enroll, renew, revoke and list certificates, make one-time tokens, rotate the CA');
  const run = async (action: PkiAction): Promise<void> => {
    const { pkiCommand } = await import('../commands/pki.ts');
    done(await pkiCommand(action, terminal));
  };

  pki
    .command('init')
    .description('make a CA; one that is there is not touched')
    .addOption(directory())
    .option('--name <name>', 'what tells it from other CAs (default: the name of this host)')
    .option('--permit-dns <domain>', 'certify only names in this domain; may be given several times', collect, [])
    .option('--permit-ip <cidr>', 'certify only addresses in this network; may be given several times', collect, [])
    .option('--passphrase', 'keep the key under a passphrase, read from the terminal or standard input')
    .action(({ directory: at, name, permitDns = [], permitIp = [], passphrase }: Flags) =>
      run({
        action: 'init',
        directory: at,
        name: name ?? null,
        permitDns,
        permitIp,
        passphrase: passphrase === true,
      }),
    );

  const issue = pki.command('issue').description('issue a certificate: its files are made in the directory of the CA');
  issue
    .command('server')
    .description('for a server with these DNS names and addresses; the first is its name')
    .argument('<names...>')
    .addOption(directory())
    .addOption(days('how long it is valid (default: 90)'))
    .addOption(keyType())
    .action((names: string[], { directory: at, days: lifetime, keyType: type = 'p256' }: Flags) =>
      run({ action: 'issue server', directory: at, names, days: lifetime ?? null, keyType: type }),
    );
  issue
    .command('client')
    .description('for a client, such as the central Prometheus')
    .argument('<name>')
    .option('--san <type:value>', 'dns:, ip:, email: or uri:; may be given several times', collect, [])
    .addOption(directory())
    .addOption(days('how long it is valid (default: 90)'))
    .addOption(keyType())
    .action((name: string, { directory: at, san = [], days: lifetime, keyType: type = 'p256' }: Flags) =>
      run({ action: 'issue client', directory: at, name, sans: san, days: lifetime ?? null, keyType: type }),
    );

  pki
    .command('sign')
    .description('certify the key of a certificate request for a client; the names in it are not looked at')
    .argument('<request>', 'a file, PEM')
    .requiredOption('--name <name>', 'the name of the client')
    .option('--san <type:value>', 'dns:, ip:, email: or uri:; may be given several times', collect, [])
    .addOption(directory())
    .addOption(days('how long it is valid (default: 90)'))
    .action((request: string, { directory: at, name = '', san = [], days: lifetime }: Flags) =>
      run({ action: 'sign', directory: at, request, name, sans: san, days: lifetime ?? null }),
    );

  addEnrollmentCommands(pki, run);

  pki
    .command('renew')
    .description('issue a certificate anew, with the same names and the same key')
    .argument('<name>')
    .addOption(directory())
    .addOption(days('how long it is valid (default: as long as before)'))
    .option('--new-key', 'with a new key')
    .action((name: string, { directory: at, days: lifetime, newKey }: Flags) =>
      run({ action: 'renew', directory: at, name, days: lifetime ?? null, newKey: newKey === true }),
    );

  pki
    .command('revoke')
    .description('shut the holder out: every certificate of a name, a serial number, or a certificate file')
    .argument('<target>', 'NAME, SERIAL, serial:HEX or FILE')
    .addOption(directory())
    .addOption(new Option('--reason <reason>', 'what the list says').choices(REASONS).default('unspecified'))
    .action((target: string, { directory: at, reason = 'unspecified' }: Flags) =>
      run({ action: 'revoke', directory: at, target, reason }),
    );

  pki
    .command('crl')
    .description('write the revocation list anew, with the next number')
    .addOption(directory())
    .addOption(days('how long it is valid (default: as long as before, else 30)'))
    .option('--restored', 'take the number from the clock: after the CA was brought back from a backup')
    .action(({ directory: at, days: lifetime, restored }: Flags) =>
      run({ action: 'crl', directory: at, days: lifetime ?? null, restored: restored === true }),
    );

  addRotateCommand(pki, run);

  pki
    .command('list')
    .description('what the CA has issued, and its state')
    .addOption(directory())
    .addOption(new Option('--output <format>', 'how').choices(['table', 'json']).default('table'))
    .action(({ directory: at, output = 'table' }: Flags) => run({ action: 'list', directory: at, output }));
}
