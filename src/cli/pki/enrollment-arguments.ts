/** `pki token` and `pki enroll` on the command line. A token is never an argument. */
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { PkiAction } from '../commands/pki.ts';
import type { KeyType } from '../../tls/authority/keys.ts';
import { PromgateError } from '../../lib/errors.ts';
import { collect, days, directory, keyType } from './options.ts';

const MOST_MINUTES = 60;

interface TokenFlags {
  readonly directory: string;
  readonly server?: boolean;
  readonly san?: readonly string[];
  readonly days?: number;
  readonly minutes: number;
  readonly gate?: string;
  readonly cancel?: boolean;
}

interface EnrollFlags {
  readonly directory: string;
  readonly gate?: string;
  readonly caFingerprint?: string;
  readonly caFile?: string;
  readonly publicCa?: boolean;
  readonly keyType: KeyType;
  readonly renew?: boolean;
  readonly force?: boolean;
}

export function addEnrollmentCommands(pki: Command, run: (action: PkiAction) => Promise<void>): void {
  pki
    .command('token')
    .description('make a one-time token, with which a client or a server gets its certificate from the running gate')
    .argument('<name>', 'the name of the client, or of the server')
    .option('--server', 'for a server certificate: its names are DNS names and addresses')
    .option('--san <type:value>', 'dns:, ip:, email: or uri:; may be given several times', collect, [])
    .addOption(directory())
    .addOption(days('how long the certificate is valid (default: 90)'))
    .addOption(minutes())
    .option('--gate <url>', 'where it reaches the gate, for the printed command')
    .option('--cancel', 'make the token of this name void')
    .action(
      (name: string, { directory: at, server, san = [], days: lifetime, minutes: time, gate, cancel }: TokenFlags) =>
        run(
          cancel === true
            ? { action: 'cancel token', directory: at, name }
            : {
                action: 'token',
                directory: at,
                name,
                server: server === true,
                sans: san,
                days: lifetime ?? null,
                minutes: time,
                gate: gate ?? null,
              },
        ),
    );

  pki
    .command('enroll')
    .description(
      'on the host of a client or a server: make a key, and get its certificate from a gate, or write a request for one',
    )
    .argument('<name>', 'the name of the files: NAME.key, NAME.crt, NAME.ca.crt')
    .addOption(new Option('--directory <directory>', 'where the files go').default('.'))
    .option('--gate <url>', 'the gate, which asks for a one-time token; without it NAME.csr is written')
    .option('--ca-fingerprint <sha256>', 'of the CA: nothing is sent to a gate that does not prove to be of it')
    .option('--ca-file <file>', 'verify the gate by this CA instead, where its own certificate is of another one')
    .option('--public-ca', 'verify the gate by the CAs of the system instead')
    .addOption(keyType())
    .option('--renew', 'renew the certificate with itself or its key, once a third of its life is left')
    .option('--force', 'with --renew: also before that')
    .action((name: string, flags: EnrollFlags) => run(enrollAction(name, flags)));
}

function enrollAction(name: string, flags: EnrollFlags): PkiAction {
  const { renew = false, force = false, caFingerprint } = flags;
  const gate = { gate: flags.gate ?? null, caFile: flags.caFile ?? null, publicCa: flags.publicCa === true };
  const files = { directory: flags.directory, name };
  if (gate.caFile !== null && gate.publicCa) throw new PromgateError('USAGE', '--ca-file contradicts --public-ca');
  if (!renew && force) throw new PromgateError('USAGE', '--force goes with --renew');
  if (renew && caFingerprint !== undefined) {
    throw new PromgateError('USAGE', '--ca-fingerprint is for the first certificate, not for --renew');
  }
  if (!renew && gate.gate === null && (caFingerprint !== undefined || gate.caFile !== null || gate.publicCa)) {
    throw new PromgateError('USAGE', '--ca-fingerprint, --ca-file and --public-ca go with --gate');
  }
  if (renew) return { action: 'renew enrolled', ...files, ...gate, force };
  return { action: 'enroll', ...files, ...gate, caFingerprint: caFingerprint ?? null, keyType: flags.keyType };
}

function minutes(): Option {
  const option = new Option('--minutes <n>', 'how long the token is good').default(15);
  return option.argParser((text) => {
    const number = /^\d{1,2}$/.test(text) ? Number(text) : 0;
    if (number >= 1 && number <= MOST_MINUTES) return number;
    throw new InvalidArgumentError(`expected a whole number from 1 to ${String(MOST_MINUTES)}`);
  });
}
