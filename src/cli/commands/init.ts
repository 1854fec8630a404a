/**
 * `promgate init [DIR]`: writes what is missing for a first run and changes nothing that is there, but for own
 * certificates that end soon. Decides everything first, writes then, promgate.yml last: what is interrupted is completed.
 */
import { resolve } from 'node:path';
import { loadConfig } from '../../config/load.ts';
import { parseHtpasswd } from '../../formats/htpasswd.ts';
import { parseCertificates } from '../../formats/x509.ts';
import { PromgateError } from '../../lib/errors.ts';
import { createDirectory, createFile, replaceFile } from '../../lib/private-file.ts';
import { planCertificates } from '../init/certificates.ts';
import { firstConfiguration, readFacts } from '../init/configuration.ts';
import type { ConfigurationFacts } from '../init/configuration.ts';
import { FIRST_USER, planCredentials } from '../init/credentials.ts';
import type { CredentialsPlan } from '../init/credentials.ts';
import { readFleetList } from '../init/fleet-list.ts';
import type { FleetListOptions } from '../init/fleet-list.ts';
import { systemEnvironment } from '../init/environment.ts';
import type { InitEnvironment } from '../init/environment.ts';
import { exposedKeys, layoutOf, readIfThere, readPair, stateDirectoryOf } from '../init/layout.ts';
import type { Layout } from '../init/layout.ts';
import { readAccess } from '../init/gate-access.ts';
import { nextSteps, shellWord } from '../init/next-steps.ts';
import { joinPlans, newFile, NOTHING_TO_DO } from '../init/plan.ts';
import type { Plan, Write } from '../init/plan.ts';
import { canHaveList, planList, writeList } from '../init/revocation-list.ts';
import { DEFAULT_PROMETHEUS } from '../prometheus-probe.ts';
import { printError } from '../terminal.ts';
import type { Terminal } from '../terminal.ts';

export interface InitOptions extends FleetListOptions {
  readonly directory: string;
  /** Where certificates and lists are kept, which the gate renews; default: the directory, or where its configuration says. */
  readonly stateDirectory?: string;
  /** Issue the own certificates anew, whatever their end. */
  readonly renew?: boolean;
  /** A file with the CA of the clients: none of our own is made for them. For a first run. */
  readonly clientCa?: string;
  /** `http://HOST:PORT` where a Prometheus is looked for, instead of its default address. For a first run. */
  readonly prometheus?: string;
}

/**
 * @returns 0 when everything is there, 1 when something stands in the way; then nothing was written.
 * @throws {PromgateError} FILE_UNSAFE or FILE_WRITE.
 */
export async function initCommand(
  options: InitOptions,
  terminal: Terminal,
  environment: InitEnvironment = systemEnvironment(),
): Promise<number> {
  const existing = await readIfThere(layoutOf(options.directory).config);
  const kept = keptIn(existing, options.directory);
  const { stateDirectory = kept } = options;
  const layout = layoutOf(options.directory, stateDirectory);
  if (existing !== null && resolve(stateDirectory) !== resolve(kept))
    throw firstRunOnly('--state-directory', 'cert_file and client_ca_file', layout);
  const clientCa = options.clientCa === undefined ? null : await readClientCa(options.clientCa, layout, existing);
  const fleetList = await readFleetList(options, clientCa);
  // Asked for again by a script that runs with each start: what is written is what it asked for.
  if (existing !== null && options.prometheus !== undefined && !existing.includes(options.prometheus))
    throw firstRunOnly('--prometheus', 'url under upstreams', layout);
  const { prometheus = DEFAULT_PROMETHEUS } = options;
  const foundPrometheus = existing === null && (await environment.probe(prometheus));
  const now = environment.clock.now();
  const ownCa = existing !== null || (await canHaveList(layout, now)) ? 'own' : 'own-without-list';
  const certs = options.stateDirectory === undefined ? 'certs' : resolve(layout.certs);
  const configuration =
    existing ??
    firstConfiguration({ url: prometheus, answers: foundPrometheus }, clientCa === null ? ownCa : fleetList, certs);
  const facts = readFacts(configuration, options.directory);
  if (facts === null) {
    printError(
      terminal,
      `${layout.config} is not a YAML map`,
      `\`promgate check ${layout.config}\` says what is wrong`,
    );
    return 1;
  }
  const certificates = await planOwnCertificates(layout, facts, existing === null, options.renew === true, environment);
  const credentials: CredentialsPlan =
    facts.htpasswd === resolve(layout.htpasswd)
      ? await planCredentials(layout, terminal.isTerminal)
      : { plan: NOTHING_TO_DO, password: { kind: 'none' } };
  const given =
    clientCa === null || resolve(options.clientCa ?? '') === resolve(layout.clientCa)
      ? NOTHING_TO_DO
      : { ...NOTHING_TO_DO, writes: [newFile(layout.clientCa, clientCa, 0o644)] };
  const givenList =
    fleetList.text === null || resolve(options.clientCrl ?? '') === resolve(layout.clientCrl)
      ? NOTHING_TO_DO
      : { ...NOTHING_TO_DO, writes: [newFile(layout.clientCrl, fleetList.text, 0o644)] };
  const writes = existing === null ? [newFile(layout.config, configuration, 0o644)] : [];
  const list = await planList({ layout, facts, isFirst: existing === null, writes: certificates.writes, now });
  const plan = joinPlans([certificates, given, givenList, credentials.plan, list.plan, { ...NOTHING_TO_DO, writes }]);

  for (const key of await exposedKeys(layout)) {
    terminal.err(`promgate: warning: ${key} can be read by every user of this host: chmod 600 ${key}`);
  }
  for (const warning of plan.warnings) terminal.err(`promgate: warning: ${warning}`);
  if (plan.obstacles.length > 0) {
    for (const { message, hint } of plan.obstacles) printError(terminal, message, hint);
    terminal.err('promgate: nothing was written');
    return 1;
  }
  await carryOut(plan, layout, terminal, list.isDue ? () => writeList(layout, environment.clock) : null);
  if (clientCa !== null && fleetList.text === null && fleetList.from === null) {
    terminal.err(
      'promgate: warning: without a revocation list of the client CA no client can be revoked here: give ' +
        '--client-crl=ca.crl, and --crl-from=https://HOST:PORT of the gate that has the CA',
    );
  }
  if (existing === null && !foundPrometheus) {
    terminal.err(
      `promgate: no Prometheus answers at ${prometheus}: the gate serves its own metrics until you name an ` +
        `upstream in ${layout.config}`,
    );
  }
  await tellNextSteps(layout, facts, credentials, environment, terminal);
  return 0;
}

function firstRunOnly(option: string, key: string, { config }: Layout): PromgateError {
  return new PromgateError('USAGE', `${config} is there already: ${option} is for a first run`, {
    hint: `set ${key} in ${config}`,
  });
}

/** Where the configuration that is there names its files, when `init` chose their names; else beside it. */
function keptIn(existing: string | null, directory: string): string {
  const facts = existing === null ? null : readFacts(existing, directory);
  const kept = facts === null ? null : stateDirectoryOf([facts.serverCert, facts.clientCa]);
  // Printed as it was given.
  return kept === null || kept === resolve(directory) ? directory : kept;
}

/** @throws {PromgateError} USAGE when there is a configuration already, or the file holds no CA. */
async function readClientCa(file: string, layout: Layout, existing: string | null): Promise<string> {
  if (existing !== null) throw firstRunOnly('--client-ca', 'client_ca_file', layout);
  const text = await readIfThere(file);
  if (text === null) throw new PromgateError('USAGE', `${file} does not exist`);
  const certificates = parseCertificates(text);
  if (!certificates.ok) throw new PromgateError('USAGE', `${file}: ${certificates.message}`);
  const other = certificates.value.find(({ isCa }) => !isCa);
  if (other !== undefined) {
    throw new PromgateError('USAGE', `${file}: the certificate ${JSON.stringify(other.subject)} is not that of a CA`);
  }
  // Certificates only: a private key in the same file stays where it is.
  return certificates.value.map(({ pem }) => pem).join('');
}

async function planOwnCertificates(
  layout: Layout,
  facts: ConfigurationFacts,
  isFirst: boolean,
  renew: boolean,
  environment: InitEnvironment,
): Promise<Plan> {
  const states = {
    ca: await readPair(layout.ca),
    server: await readPair(layout.server),
    client: await readPair(layout.client),
  };
  const wanted = {
    server: facts.serverCert === resolve(layout.server.cert) && facts.serverKey === resolve(layout.server.key),
    clients: facts.clientCa === resolve(layout.ca.cert),
  };
  return planCertificates({ layout, states, wanted, isFirst, renew, environment });
}

async function carryOut(
  { writes }: Plan,
  layout: Layout,
  terminal: Terminal,
  list: (() => Promise<readonly string[]>) | null,
): Promise<void> {
  if (writes.length === 0 && list === null) {
    terminal.err('promgate: everything is there, nothing was changed');
    return;
  }
  try {
    await createDirectory(layout.directory);
    await createDirectory(layout.certs);
  } catch (error) {
    throw new PromgateError('FILE_WRITE', `cannot make the directories ${layout.directory} and ${layout.certs}`, {
      cause: error,
    });
  }
  const write = async ({ path, text, mode, replace }: Write): Promise<void> => {
    if (replace) await replaceFile(path, text);
    else await createFile(path, text, mode);
    terminal.err(`promgate: ${replace ? 'renewed' : 'wrote'} ${path}`);
  };
  for (const one of writes.filter(({ path }) => path !== layout.config)) await write(one);
  for (const done of (await list?.()) ?? []) terminal.err(`promgate: ${done}`);
  for (const one of writes.filter(({ path }) => path === layout.config)) await write(one);
}

/** @param users those that the configured htpasswd file holds. */
function tellPassword(
  { password }: CredentialsPlan,
  layout: Layout,
  { htpasswd }: ConfigurationFacts,
  users: readonly string[],
  terminal: Terminal,
): void {
  if (password.kind === 'show') {
    terminal.out(`user ${FIRST_USER}, password ${password.text} (shown only this once)\n`);
    return;
  }
  if (password.kind === 'file') {
    terminal.err(
      `promgate: the first password of user ${FIRST_USER} is in ${layout.initialPassword}, which only its owner can ` +
        'read: delete it when you have copied it',
    );
    return;
  }
  if (password.kind === 'stale') {
    terminal.err(`promgate: the password in ${layout.initialPassword} is valid no longer: delete the file`);
  }
  if (htpasswd === null) return;
  const file = shellWord(htpasswd === resolve(layout.htpasswd) ? layout.htpasswd : htpasswd);
  const user = users.includes(FIRST_USER) ? FIRST_USER : users[0];
  if (user !== undefined) {
    terminal.err(`promgate: a lost password is replaced with \`promgate passwd ${file} add ${shellWord(user)}\``);
  }
}

async function tellNextSteps(
  layout: Layout,
  facts: ConfigurationFacts,
  credentials: CredentialsPlan,
  { hostName, addresses, clock }: InitEnvironment,
  terminal: Terminal,
): Promise<void> {
  const users = facts.htpasswd === null ? null : await readIfThere(facts.htpasswd).catch(() => null);
  const names = users === null ? [] : parseHtpasswd(users).entries.map(({ user }) => user);
  tellPassword(credentials, layout, facts, names, terminal);
  const nodeMajor = Number.parseInt(process.versions.node, 10);
  const loaded = await loadConfig(layout.config, { generation: 1, nodeMajor, clock });
  if (!loaded.ok) {
    terminal.err(`promgate: ${layout.config} has errors: \`promgate check ${shellWord(layout.config)}\` names them`);
    return;
  }
  const { config } = loaded;
  const own = facts.serverCert === null ? [] : [facts.serverCert];
  const authorities = [layout.ca.cert, ...(facts.clientCa === null ? [] : [facts.clientCa]), ...own];
  const access = await readAccess({ config, client: layout.client, authorities, nowMs: clock.now() });
  if (access === null) return;
  const hasPasswordFile = credentials.password.kind === 'file' && config.users.has(FIRST_USER);
  const steps = nextSteps({ layout, access, hostName, addresses, hasPasswordFile });
  if (steps !== null) terminal.out(steps);
  if (access.upstreams.some(({ scrape }) => scrape === null)) {
    const file = facts.htpasswd === null ? null : shellWord(facts.htpasswd);
    const hint = file === null || names.length > 0 ? '' : `: \`promgate passwd ${file} add USER\` makes a user`;
    terminal.err(`promgate: no user and no certificate at hand may scrape every upstream${hint}`);
  }
}
