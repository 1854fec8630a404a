/**
 * `promgate pki rotate`: a new CA in three steps (beside the old one, in its place, alone), between which the operator
 * carries files to other hosts. Every step can be repeated, and goes on where it was interrupted.
 */
import { PromgateError } from '../../lib/errors.ts';
import { quoteForeign } from '../../lib/foreign-text.ts';
import type { Authority } from '../../tls/authority/authority-directory.ts';
import { readCrls } from '../../tls/authority/crl-file.ts';
import { endRotation, prepareRotation, rotationStage, switchSigner } from '../../tls/authority/rotation.ts';
import { printError } from '../terminal.ts';
import type { Terminal } from '../terminal.ts';
import { asRefusal, openAuthority, unlockAuthority } from './environment.ts';
import type { PkiEnvironment, UnlockedAuthority } from './environment.ts';
import { askGates, gateAddresses, gatesWithoutNew, reasonsToKeep } from './gates.ts';
import type { AskedGate, GateAddresses, Reason } from './gates.ts';
import { certificatesToReissue, reissue, settleDirectory } from './reissue.ts';
import type { ReplacedCa } from './reissue.ts';
import { lifetimeOf } from './revocation.ts';
import { enrolledElsewhere, tellElsewhere, tellNewPins } from './rotation-hints.ts';

export interface RotateOptions extends GateAddresses {
  readonly directory: string;
  readonly step: 'prepare' | 'reissue' | 'finish';
  /** Asks no gate, and takes the risk. */
  readonly force: boolean;
}

/** How long a gate may take to notice the new ca.crt: it looks every 5 s where its watch misses a change. */
const TRUST_WAIT_MS = 15_000;
const TRUST_STEP_MS = 250;

export async function rotateAuthority(
  options: RotateOptions,
  terminal: Terminal,
  environment: PkiEnvironment,
): Promise<number> {
  const authority = await openAuthority(options.directory);
  await settleDirectory(authority, environment.clock);
  const unlocked = await unlockAuthority(authority, environment);
  const begun = { options, authority, unlocked, terminal, environment };
  switch (options.step) {
    case 'prepare':
      return prepare(begun);
    case 'reissue':
      return reissueAll(begun);
    case 'finish':
      return finish(begun);
  }
}

interface Begun {
  readonly options: RotateOptions;
  readonly authority: Authority;
  readonly unlocked: UnlockedAuthority;
  readonly terminal: Terminal;
  readonly environment: PkiEnvironment;
}

async function prepare({ options, authority, unlocked, terminal, environment }: Begun): Promise<number> {
  const { directory } = options;
  const { paths } = authority;
  const lifetimeMs = lifetimeOf(await readCrls(authority));
  const keys = await asRefusal(() => prepareRotation(directory, environment.clock, unlocked, lifetimeMs));
  const now = await openAuthority(directory);
  const stage = rotationStage(now, keys);
  if (stage.kind === 'switched') {
    terminal.out(
      `${stage.ca.certificate.subject} signs already; \`promgate pki rotate --finish\` takes the old CA away`,
    );
    return 0;
  }
  if (stage.kind === 'none') throw new PromgateError('FILE_WRITE', `${paths.cert} was written and is not as it was`);
  const { certificate } = stage.ca;
  const cas = { old: stage.old.certificate, next: certificate };
  const enrolled = await enrolledElsewhere(now, cas, environment.clock.now());
  const hasList = (await readCrls(now)).length > 0;
  terminal.out(
    [
      `${certificate.subject}, until ${dateText(certificate.notAfter)}, stands beside ${stage.old.certificate.subject}.`,
      `SHA-256 fingerprint ${certificate.fingerprint.replace(/(..)(?=.)/g, '$1:')}`,
      'Nothing is issued from it yet. Next:',
      `  1. copy ${[paths.cert, ...(hasList ? [paths.crl] : [])].join(' and ')} to every host that has a copy: ca_file of each`,
      '     Prometheus, client_ca_file of each gate and exporter',
      ...(enrolled.length > 0
        ? [
            '  2. on the host of each enrolled client, so that it trusts the new CA too:',
            ...enrolled.map((command) => `     ${command}`),
          ]
        : []),
      `  ${enrolled.length > 0 ? '3' : '2'}. promgate pki rotate --reissue`,
      `Make a new backup of ${paths.key}: it holds both keys.`,
    ].join('\n'),
  );
  return 0;
}

async function reissueAll({ options, authority, unlocked, terminal, environment }: Begun): Promise<number> {
  const { directory, force } = options;
  const { clock } = environment;
  if (rotationStage(authority, unlocked.keys).kind === 'none') throw notBegun();
  // What an interrupted first step has left undone, such as the list of the new CA.
  await prepareRotation(directory, clock, unlocked, lifetimeOf(await readCrls(authority)));
  const stage = rotationStage(await openAuthority(directory), unlocked.keys);
  if (stage.kind === 'none') throw notBegun();
  const cas = { old: stage.old.certificate, next: stage.ca.certificate };
  if (!force) await untilTrusted(options, cas, environment);
  await switchSigner(directory, clock, unlocked);
  const now = await openAuthority(directory);
  const ca = { cert: cas.next.pem, key: stage.ca.key };
  let failed = 0;
  for (const found of await certificatesToReissue(now, cas.old, clock.now())) {
    try {
      const { entry, paths, hasNewKey } = await reissue(now, ca, found, clock);
      const key = hasNewKey ? 'a new key' : 'the key that it had';
      terminal.out(`${quoteForeign(entry.name)}: ${paths.cert}, serial ${entry.serial}, ${key}, ${entry.spki}`);
    } catch (error) {
      if (!(error instanceof PromgateError)) throw error;
      failed += 1;
      printError(terminal, `${quoteForeign(found.base)} was not issued anew: ${error.message}`, error.hint);
    }
  }
  await tellElsewhere(now, cas, terminal, clock.now());
  await tellNewPins(now, cas, options.configFile, terminal, clock.now());
  if (failed > 0) return 1;
  terminal.err(
    'promgate: everything here is of the new CA. Carry the files to the hosts that use them, then, when no gate',
  );
  terminal.err('promgate: has seen the old CA for 24 hours: promgate pki rotate --finish');
  return 0;
}

async function finish({ options, authority, unlocked, terminal, environment }: Begun): Promise<number> {
  const { directory, force } = options;
  const { clock } = environment;
  const stage = rotationStage(authority, unlocked.keys);
  const lifetimeMs = lifetimeOf(await readCrls(authority));
  if (stage.kind === 'prepared') {
    throw new PromgateError('AUTHORITY_REFUSED', 'nothing was issued from the new CA yet', {
      hint: 'first `promgate pki rotate --reissue`',
    });
  }
  if (stage.kind === 'switched') {
    const cas = { old: stage.old.certificate, next: stage.ca.certificate };
    const reasons = await reasonsAgainst(options, authority, cas, clock.now());
    for (const { text } of reasons) {
      if (force) terminal.err(`promgate: warning: ${text}`);
      else printError(terminal, text);
    }
    if (reasons.length > 0 && !force) {
      // Several gates may have the same reason.
      for (const hint of new Set(reasons.flatMap((reason) => reason.hint ?? []))) {
        terminal.err(`promgate: hint: ${hint}`);
      }
      terminal.err('promgate: hint: --force takes the old CA away all the same, and shuts out who still uses it');
      return 1;
    }
    await tellElsewhere(authority, cas, terminal, clock.now());
  }
  // Without a second CA there may be a key left over from a crash at the end.
  await asRefusal(() => endRotation(directory, clock, unlocked, lifetimeMs));
  const now = await openAuthority(directory);
  const { paths, certificate } = now;
  const copied = [paths.cert, ...((await readCrls(now)).length > 0 ? [paths.crl] : [])].join(' and ');
  terminal.out(
    [
      `${certificate.subject} is the only CA; no key of another one is here.`,
      `Copy ${copied} to every host that has a copy, and make a new backup of the CA.`,
    ].join('\n'),
  );
  return 0;
}

/** @returns what is against it; with `force` as warnings. */
async function reasonsAgainst(
  options: RotateOptions,
  authority: Authority,
  { old, next }: ReplacedCa,
  now: number,
): Promise<readonly Reason[]> {
  const left = (await certificatesToReissue(authority, old, now)).map(({ base }) => quoteForeign(base));
  const own =
    left.length === 0
      ? []
      : [{ text: `of the old CA still: ${left.join(', ')}; \`promgate pki rotate --reissue\``, hint: null }];
  if (options.force) return own;
  return [...own, ...reasonsToKeep(await askOrSay(options), old, next)];
}

async function untilTrusted(
  options: RotateOptions,
  { old, next }: ReplacedCa,
  { clock }: PkiEnvironment,
): Promise<void> {
  const deadline = clock.monotonic() + TRUST_WAIT_MS;
  for (;;) {
    const without = gatesWithoutNew(await askOrSay(options), old, next);
    if (without.length === 0) return;
    if (clock.monotonic() >= deadline) {
      throw new PromgateError('AUTHORITY_REFUSED', `the gate at ${without.join(', ')} does not trust the new CA yet`, {
        hint: 'copy ca.crt and ca.crl there, in the place of the old ones; its log says what it refuses of them',
      });
    }
    await new Promise<void>((resolve) => clock.after(TRUST_STEP_MS, resolve, { ref: true }));
  }
}

async function askOrSay(options: RotateOptions): Promise<readonly AskedGate[]> {
  try {
    return await askGates(await gateAddresses(options));
  } catch (error) {
    if (!(error instanceof PromgateError) || error.code === 'USAGE') throw error;
    throw new PromgateError(error.code, error.message, {
      hint: '--admin=ADDRESS names the admin address of each gate; --force goes on without asking, and shuts out whom a gate does not trust',
      cause: error,
    });
  }
}

function notBegun(): PromgateError {
  return new PromgateError('AUTHORITY_REFUSED', 'no rotation has begun', { hint: '`promgate pki rotate` begins one' });
}

function dateText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
