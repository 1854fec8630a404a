/** Options that several `pki` commands have. */
import { InvalidArgumentError, Option } from 'commander';

export const KEY_TYPES = ['p256', 'p384', 'rsa2048', 'rsa4096'] as const;
const MOST_DAYS = 3650;

export function directory(): Option {
  return new Option('--directory <directory>', 'where the CA is').default('certs');
}

export function keyType(): Option {
  return new Option('--key-type <type>', 'the type of the key').choices(KEY_TYPES).default('p256');
}

export function days(description: string): Option {
  return new Option('--days <n>', description).argParser((text) => {
    const number = /^\d{1,4}$/.test(text) ? Number(text) : 0;
    if (number >= 1 && number <= MOST_DAYS) return number;
    throw new InvalidArgumentError(`expected a whole number from 1 to ${String(MOST_DAYS)}`);
  });
}

export function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}
