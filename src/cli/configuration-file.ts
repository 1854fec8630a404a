/**
 * Which configuration a command means when it names none: that of the variable PROMGATE_CONFIG_FILE, else promgate.yml of
 * the working directory, else that of the system's service.
 */
import { existsSync } from 'node:fs';
import { Option } from 'commander';
import type { Command } from 'commander';
import type { Terminal } from './terminal.ts';

const VARIABLE = 'PROMGATE_CONFIG_FILE';
const HERE = 'promgate.yml';
const SYSTEM = '/etc/promgate/promgate.yml';
export const DEFAULT_DESCRIPTION = `$${VARIABLE}, else ./${HERE}, else ${SYSTEM}`;
const FLAG = 'config.file';

export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly exists: (file: string) => boolean;
}

const SURROUNDINGS: Surroundings = { environment: process.env, exists: existsSync };

/** The one of the working directory, too, where there is none at all: its absence is then what the command says. */
export function defaultConfigFile({ environment, exists }: Surroundings = SURROUNDINGS): string {
  const named = environment[VARIABLE];
  if (named !== undefined && named !== '') return named;
  return !exists(HERE) && exists(SYSTEM) ? SYSTEM : HERE;
}

export function configFileOption(description = 'the configuration'): Option {
  return new Option(`--${FLAG} <file>`, description).default(defaultConfigFile(), DEFAULT_DESCRIPTION);
}

/** A person in another directory should see that it is the service's file which answers. */
export function sayWhichFile(command: Command, terminal: Terminal): void {
  const file: unknown = command.getOptionValue(FLAG);
  if (command.getOptionValueSource(FLAG) !== 'default' || file === HERE) return;
  terminal.err(`promgate: the configuration is ${String(file)}`);
}
