/** What `pki rotate` says of what it cannot do itself: certificates on other hosts, and pins in a configuration. */
import { dirname, join, resolve } from 'node:path';
import { parseSpkiPin } from '../../formats/spki-pin.ts';
import { quoteForeign } from '../../lib/foreign-text.ts';
import { readIfThere } from '../../tls/authority/authority-directory.ts';
import type { Authority } from '../../tls/authority/authority-directory.ts';
import { readSpkiPins } from '../init/configuration.ts';
import { shellWord } from '../init/next-steps.ts';
import type { Terminal } from '../terminal.ts';
import { certificatesElsewhere, newPins } from './reissue.ts';
import type { ReplacedCa } from './reissue.ts';

/** What is to be run wherever a certificate is elsewhere, to get both CAs before the new one is needed. */
export async function enrolledElsewhere(
  authority: Authority,
  cas: ReplacedCa,
  now: number,
): Promise<readonly string[]> {
  const names = new Set((await certificatesElsewhere(authority, cas, now)).map(({ name }) => name));
  return Array.from(names, (name) => `promgate pki enroll ${shellWord(name)} --renew --force`);
}

/** Certificates that were carried away, or signed for a key elsewhere, and of which no file is here. */
export async function tellElsewhere(
  authority: Authority,
  cas: ReplacedCa,
  terminal: Terminal,
  now: number,
): Promise<void> {
  const names = (await certificatesElsewhere(authority, cas, now)).map(
    ({ name, kind }) => `${kind} ${quoteForeign(name)}`,
  );
  if (names.length === 0) return;
  terminal.err(`promgate: warning: of the old CA, and not in this directory: ${[...new Set(names)].join(', ')}`);
  terminal.err(
    'promgate: hint: their holders need a new one (`pki enroll NAME --renew --force`, `pki sign`, `pki issue`) before ' +
      'the old CA goes',
  );
}

/** A new key is nobody to an identity that names the old one. */
export async function tellNewPins(
  authority: Authority,
  cas: ReplacedCa,
  configFile: string,
  terminal: Terminal,
  now: number,
): Promise<void> {
  const pins = await newPins(authority, cas, now);
  if (pins.length === 0) return;
  terminal.err('promgate: the keys are new: identities with `spki:` need the new values, beside the old ones:');
  for (const { name, next } of pins) terminal.err(`promgate:   ${quoteForeign(name)}: spki: ${next}`);
  for (const file of new Set([
    resolve(configFile),
    join(dirname(resolve(authority.paths.directory)), 'promgate.yml'),
  ])) {
    const named = readSpkiPins((await readIfThere(file).catch(() => null)) ?? '');
    const isNamed = (identity: string, pin: string): boolean =>
      named.some((one) => one.identity === identity && hashOf(one.pin) === hashOf(pin));
    for (const identity of new Set(named.map((one) => one.identity))) {
      const missing = pins.filter(({ old, next }) => isNamed(identity, old) && !isNamed(identity, next));
      for (const { name, next } of missing) {
        terminal.err(
          `promgate: warning: identity ${quoteForeign(identity)} in ${file} has the old key of ${quoteForeign(name)}: ` +
            `add { spki: ${next} } to its certificates`,
        );
      }
    }
  }
}

function hashOf(pin: string): string | null {
  const hash = parseSpkiPin(pin);
  return hash.ok ? hash.value : null;
}
