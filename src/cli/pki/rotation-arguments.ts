/** `pki rotate` on the command line: argv → PkiAction. */
import { Option } from 'commander';
import { configFileOption, defaultConfigFile } from '../configuration-file.ts';
import type { Command } from 'commander';
import type { PkiAction } from '../commands/pki.ts';
import { collect, directory } from './options.ts';

interface RotateFlags {
  readonly directory: string;
  readonly reissue?: boolean;
  readonly finish?: boolean;
  readonly force?: boolean;
  readonly admin?: readonly string[];
  readonly 'config.file'?: string;
}

export function addRotateCommand(pki: Command, run: (action: PkiAction) => Promise<void>): void {
  pki
    .command('rotate')
    .description('put a new CA in the place of the old one, in three steps: rotate, rotate --reissue, rotate --finish')
    .addOption(directory())
    .addOption(
      new Option(
        '--reissue',
        'issue the certificates in the directory anew, once every gate trusts both CAs',
      ).conflicts('finish'),
    )
    .option('--finish', 'take the old CA away, once no gate has seen a certificate of it for 24 hours')
    .option('--admin <address>', 'the admin address of a gate to ask; may be given several times', collect, [])
    .addOption(configFileOption('whose admin_address is asked without --admin'))
    .option('--force', 'ask no gate: whom one does not trust yet, or still sees, is shut out')
    .action(async (flags: RotateFlags) => {
      const { directory: at, reissue, finish, force, admin = [] } = flags;
      const step = finish === true ? 'finish' : reissue === true ? 'reissue' : 'prepare';
      const configFile = flags['config.file'] ?? defaultConfigFile();
      await run({ action: 'rotate', directory: at, step, force: force === true, admin, configFile });
    });
}
