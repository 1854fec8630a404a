#!/usr/bin/env node
/** What you type: argv → command → exit code (0 done, 1 failed or problems found, 2 wrong usage). */
import './debugger-off.ts';
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { PromgateError } from '../lib/errors.ts';
import { configFileOption, DEFAULT_DESCRIPTION, defaultConfigFile, sayWhichFile } from './configuration-file.ts';
import type { InitOptions } from './commands/init.ts';
import { addPkiCommands } from './pki/arguments.ts';
import { printError, processTerminal } from './terminal.ts';
import type { Terminal } from './terminal.ts';
import { VERSION } from './version.ts';

function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}

function parseCost(text: string): number {
  if (!/^\d{1,2}$/.test(text)) throw new InvalidArgumentError('expected a whole number from 10 to 16');
  return Number(text);
}

/** `http://HOST:PORT`, as `new URL` writes it. */
function parseOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== 'http:' || url.href !== `${url.origin}/`) {
    throw new InvalidArgumentError('expected http://HOST:PORT');
  }
  return url.origin;
}

const QUIET: ReadonlySet<string> = new Set(['run', 'healthcheck']);

/** Commands are loaded when they are called: `healthcheck` runs every few seconds and must not pay for `run`. */
function buildProgram(terminal: Terminal, done: (code: number) => void): Command {
  const program = new Command('promgate')
    .description('An authenticating TLS reverse proxy in front of Prometheus.')
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('(promgate --help lists the commands)')
    .configureOutput({
      writeOut: (text) => {
        terminal.out(text.trimEnd());
      },
      writeErr: (text) => {
        terminal.err(text.trimEnd());
      },
      outputError: (text, write) => {
        write(`promgate: ${text}`);
      },
    });

  program.hook('preAction', (_program, command) => {
    // The log of run says it, and of healthcheck only the exit code counts.
    if (!QUIET.has(command.name())) sayWhichFile(command, terminal);
  });

  program
    .command('init')
    .description('write what is missing for a first run; change nothing that is there')
    .argument('[directory]', 'where', '.')
    .option('--renew', 'issue the own certificates anew, for example after the host changed its addresses')
    .option(
      '--state-directory <directory>',
      'keep certificates and lists there, which the gate renews; for a first run',
    )
    .option('--client-ca <file>', 'trust the clients of this CA and make none for them; for a first run')
    .option('--client-crl <file>', 'the revocation list of that CA')
    .option('--crl-from <url>', 'the gate that has that CA, https://HOST:PORT, from which the list is fetched')
    .option(
      '--prometheus <url>',
      'where to look for a Prometheus; default http://127.0.0.1:9090; for a first run',
      parseOrigin,
    )
    .action(async (directory: string, options: Omit<InitOptions, 'directory'>) => {
      const { initCommand } = await import('./commands/init.ts');
      done(await initCommand({ directory, ...options }, terminal));
    });

  program
    .command('run', { isDefault: false })
    .description('serve')
    .addOption(configFileOption())
    .option('--web.listen-address <address>', 'replaces listen_addresses; may be given several times', collect, [])
    .addOption(new Option('--log.level <level>').choices(['debug', 'info', 'warn', 'error']).default('info'))
    .addOption(new Option('--log.format <format>').choices(['json', 'logfmt']).default('logfmt'))
    .action(async (options: Record<string, unknown>) => {
      const { runCommand } = await import('./commands/run.ts');
      done(
        await runCommand(
          {
            configFile: options['config.file'] as string,
            listenAddresses: options['web.listenAddress'] as readonly string[],
            logLevel: options['log.level'] as 'debug' | 'info' | 'warn' | 'error',
            logFormat: options['log.format'] as 'json' | 'logfmt',
          },
          terminal,
        ),
      );
    });

  program
    .command('check')
    .description('say every problem of configuration files, as run would')
    .argument('[files...]', `default: ${DEFAULT_DESCRIPTION}`)
    .option('--user <name>', 'look as this user, who runs the gate; for root')
    .action(async (files: string[], options: { user?: string }) => {
      const { checkCommand, tellWho } = await import('./commands/check.ts');
      done(await checkCommand(files.length === 0 ? [defaultConfigFile()] : files, terminal, options));
      tellWho(terminal);
    });

  program
    .command('reload')
    .description('make the running gate read its configuration again, and wait for the result')
    .addOption(configFileOption())
    .action(async (options: Record<string, string>) => {
      const { reloadCommand } = await import('./commands/reload.ts');
      done(await reloadCommand({ configFile: options['config.file'] ?? defaultConfigFile() }, terminal));
    });

  program
    .command('passwd')
    .description('add, verify or remove a user of an htpasswd file; the password is never an argument')
    .argument('<file>')
    .addArgument(program.createArgument('<action>').choices(['add', 'verify', 'remove']))
    .argument('<user>')
    .option('--keep-old', 'add: keep the old password valid beside the new one')
    .option('--cost <n>', 'add: bcrypt cost from 10 to 16 (default: 10)', parseCost)
    .action(async (file: string, action: 'add' | 'verify' | 'remove', user: string, options: PasswdFlags) => {
      const { passwdCommand } = await import('./commands/passwd.ts');
      done(await passwdCommand({ file, action, user, ...options }, terminal));
    });

  addPkiCommands(program, terminal, done);

  const cert = program.command('cert').description('the certificates in use, and their renewal');
  cert
    .command('status')
    .description(
      'say of every certificate, CA and revocation list how long it is good; exit 1 when one is close to its end',
    )
    .addOption(configFileOption())
    .addOption(new Option('--output <form>').choices(['table', 'json']).default('table'))
    .action(async (options: Record<string, string>) => {
      const { certStatusCommand } = await import('./commands/cert.ts');
      const output = options['output'] === 'json' ? 'json' : 'table';
      done(await certStatusCommand({ configFile: options['config.file'] ?? defaultConfigFile(), output }, terminal));
    });
  cert
    .command('renew')
    .description('obtain certificates from the CA now, and show every step')
    .argument('[name]', 'the first name of a certificate (default: all)')
    .addOption(configFileOption())
    .option('--dry-run', 'ask the staging directory of the CA, if it has one, and change nothing')
    .action(async (name: string | undefined, options: Record<string, string | boolean>) => {
      const { certRenewCommand } = await import('./commands/cert.ts');
      const file = (options['config.file'] as string | undefined) ?? defaultConfigFile();
      const isRehearsal = options['dryRun'] === true;
      done(await certRenewCommand({ configFile: file, name: name ?? null, isRehearsal }, terminal));
    });

  program
    .command('users')
    .description('say when each user and certificate was seen last, and what it took, since the start of the gate')
    .addOption(configFileOption())
    .addOption(new Option('--output <form>').choices(['table', 'json']).default('table'))
    .action(async (options: Record<string, string>) => {
      const { usersCommand } = await import('./commands/users.ts');
      const output = options['output'] === 'json' ? 'json' : 'table';
      done(await usersCommand({ configFile: options['config.file'] ?? defaultConfigFile(), output }, terminal));
    });

  const lockouts = program
    .command('lockouts')
    .description('list who is locked out, or lift it')
    .addOption(configFileOption())
    .action(async (options: Record<string, string>) => {
      const { lockoutsCommand } = await import('./commands/lockouts.ts');
      done(await lockoutsCommand({ configFile: options['config.file'] ?? defaultConfigFile(), clear: null }, terminal));
    });
  lockouts
    .command('clear')
    .description('lift the lockouts of one address')
    .argument('<address>')
    .action(async (address: string) => {
      const { lockoutsCommand } = await import('./commands/lockouts.ts');
      const file = lockouts.opts<Record<string, string>>()['config.file'] ?? defaultConfigFile();
      done(await lockoutsCommand({ configFile: file, clear: address }, terminal));
    });

  program
    .command('explain')
    .description(
      'say step by step what the gate would decide about a request by this file, and which key decides; exit 1 if refused. What only the running gate knows is left out: lockouts, rate limits, queues, scrapes under way.',
    )
    .argument('<method>', 'GET, for example')
    .argument('<target>', 'path and query, as in the request line')
    .addOption(configFileOption())
    .option('--from <address>', "the client's address")
    .option('--via <address>', 'the trusted proxy in front of the gate, if there is one')
    .option('--user <name>', 'the user whose password is sent; it is taken for right')
    .option('--certificate <file>', 'the client certificate that is shown, PEM')
    .option('--data <form>', 'what a POST carries, as curl --data sends it')
    .addOption(new Option('--output <form>').choices(['text', 'json']).default('text'))
    .action(async (method: string, target: string, options: Record<string, string | undefined>) => {
      const { explainCommand } = await import('./commands/explain.ts');
      if (options['from'] === undefined) {
        const hint = 'write --from=ADDRESS, the address of the client, such as --from=127.0.0.1';
        throw new PromgateError('USAGE', 'what is decided depends on who asks: --from is missing', { hint });
      }
      const { from, via = null, user = null, certificate = null, data: form = null } = options;
      const output = options['output'] === 'json' ? 'json' : 'text';
      const file = options['config.file'] ?? defaultConfigFile();
      done(
        await explainCommand(
          { configFile: file, method, target, from, via, user, certificate, form, output },
          terminal,
        ),
      );
    });

  program
    .command('healthcheck')
    .description('exit 0 when the running gate is ready')
    .addOption(configFileOption())
    .action(async (options: Record<string, string>) => {
      const { healthcheckCommand } = await import('./commands/healthcheck.ts');
      done(await healthcheckCommand({ configFile: options['config.file'] ?? defaultConfigFile() }, terminal));
    });

  return program;
}

interface PasswdFlags {
  keepOld?: boolean;
  cost?: number;
}

/** @param argv the arguments without node and the script. Never exits by itself. */
export async function main(argv: readonly string[], terminal: Terminal = processTerminal()): Promise<number> {
  let exitCode = 0;
  const program = buildProgram(terminal, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof PromgateError) {
      printError(terminal, error.message, error.hint);
      return error.code === 'USAGE' ? 2 : 1;
    }
    throw error;
  }
}

function isEntryPoint(): boolean {
  const script = process.argv[1];
  return script !== undefined && realpathSync(script) === fileURLToPath(import.meta.url);
}

if (isEntryPoint()) process.exitCode = await main(process.argv.slice(2));
