/**
 * `promgate explain`: what the gate would decide about a request, step by step, with the key that decided. It asks
 * nobody, changes nothing and takes passwords for right.
 */
import { readFile } from 'node:fs/promises';
import { renderProblems, showKey } from '../../config/explain.ts';
import type { ShownKey } from '../../config/explain.ts';
import { loadConfig } from '../../config/load.ts';
import { nameOf } from '../../config/parse.ts';
import { normalizeAddress } from '../../formats/address-set.ts';
import { systemClock } from '../../lib/clock.ts';
import { PromgateError } from '../../lib/errors.ts';
import { escapeNonPrintable, quoteForeign } from '../../lib/foreign-text.ts';
import type { DocumentPath } from '../../lib/problem.ts';
import { noMetrics } from '../../observe/ports.ts';
import { createHostNames } from '../../request/accept/host-names.ts';
import { decide } from '../../request/decide.ts';
import type { Decision } from '../../request/decision.ts';
import { DENY_REASONS } from '../../request/deny-reasons.ts';
import { factsOf } from '../explain/shown-certificate.ts';
import { resolveAsThisHost } from '../name-resolution.ts';
import type { Terminal } from '../terminal.ts';

export interface ExplainOptions {
  readonly configFile: string;
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** The client's address. */
  readonly from: string;
  /** The peer, where the client is behind a proxy. */
  readonly via: string | null;
  readonly user: string | null;
  /** A PEM file. */
  readonly certificate: string | null;
  /** The form of a POST. */
  readonly form: string | null;
  readonly output: 'text' | 'json';
}

/**
 * @returns 0 when the request would go to its upstream, 1 when it would be refused or the configuration has errors.
 * @throws PromgateError USAGE for an address that is none, or a certificate that cannot be read.
 */
export async function explainCommand(options: ExplainOptions, terminal: Terminal): Promise<number> {
  const { configFile, method, target, user, certificate, form } = options;
  const from = addressOf(options.from, '--from');
  const via = options.via === null ? null : addressOf(options.via, '--via');
  const nodeMajor = Number.parseInt(process.versions.node, 10);
  const result = await loadConfig(configFile, { generation: 1, nodeMajor });
  if (!result.ok) {
    terminal.err(renderProblems(result.problems, configFile, result.text));
    return 1;
  }
  const { config } = result;
  // What goes for a client directly does not go for one behind a proxy: whether it can connect is part of the answer.
  const aboutProxies = result.problems.filter(({ path }) => path?.[0] === 'trusted_proxies');
  if (aboutProxies.length > 0) terminal.err(renderProblems(aboutProxies, configFile, result.text));
  const pem = certificate === null ? null : await readCertificate(certificate);
  const hosts = createHostNames({
    resolve: resolveAsThisHost(),
    clock: systemClock,
    log: warningsTo(terminal),
    metrics: noMetrics,
    onChange: () => undefined,
  });
  try {
    await hosts.follow(config.access.allowHosts);
    const tls = factsOf(config.tls, pem);
    const nowMs = systemClock.now();
    const peer = via ?? from;
    const forwardedFor = via === null ? undefined : from;
    const decisions = decide({ config, hosts, peer, forwardedFor, method, target, tls, user, form, nowMs });
    terminal.out(
      options.output === 'json'
        ? JSON.stringify(
            decisions.map((one) => ({ ...one, place: placeOf(one, configFile, result.text) })),
            null,
            2,
          )
        : render(decisions, configFile, result.text),
    );
    return decisions.some(({ reason }) => reason !== null) ? 1 : 0;
  } finally {
    hosts.close();
  }
}

function addressOf(text: string, option: string): string {
  const address = normalizeAddress(text);
  if (address === null) throw new PromgateError('USAGE', `${option}: ${quoteForeign(text)} is not an IP address`);
  return address;
}

async function readCertificate(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new PromgateError('USAGE', `cannot read ${quoteForeign(file)}: ${(error as Error).message}`);
  }
}

function warningsTo(terminal: Terminal) {
  const tell = (fields: object, message: string): void => {
    const host = (fields as { readonly host?: string }).host ?? '';
    terminal.err(`promgate: ${message}: ${escapeNonPrintable(host)}`);
  };
  const nothing = (): void => undefined;
  return { debug: nothing, info: nothing, warn: tell, error: tell };
}

/** Keys of which either may be written: the other follows from it. */
const FOLLOWS: readonly (readonly [DocumentPath, DocumentPath])[] = [
  [['authenticate'], ['tls_server_config', 'client_auth_type']],
  [
    ['tls_server_config', 'client_ca_file'],
    ['tls_server_config', 'client_ca'],
  ],
];

/** The key as it is written, or the one from which it follows; null when neither is there. */
function showWritten(path: DocumentPath, file: string, text: string): ShownKey | null {
  const shown = showKey(path, file, text);
  if (shown !== null) return shown;
  const name = nameOf(path);
  const pair = FOLLOWS.find((keys) => keys.some((key) => nameOf(key) === name));
  const other = pair?.find((key) => nameOf(key) !== name);
  return other === undefined ? null : showKey(other, file, text);
}

/** `file:line:column`; null when nothing in the file decided, or a default did. */
function placeOf({ because }: Decision, file: string, text: string): string | null {
  return because === null ? null : (showWritten(because, file, text)?.place ?? null);
}

function render(decisions: readonly Decision[], file: string, text: string): string {
  const lines = decisions.flatMap((one) => [
    `${one.step.padEnd(12)} ${one.reason === null ? 'passes ' : 'REFUSES'}  ${escapeNonPrintable(one.says)}`,
    ...because(one, file, text).map((line) => `${' '.repeat(22)}${line}`),
  ]);
  const last = decisions.at(-1);
  const reason = last?.reason ?? null;
  if (reason === null) return [...lines, 'the request is forwarded'].join('\n');
  const { status, meaning } = DENY_REASONS[reason];
  const isClosed = status === null || last?.step === 'connect';
  const answer = isClosed ? 'the connection is closed' : `answered ${String(status)}`;
  return [...lines, `${answer}, reason ${reason}: ${meaning}`].join('\n');
}

function because({ because: path }: Decision, file: string, text: string): string[] {
  if (path === null) return [];
  const shown = showWritten(path, file, text);
  return [shown === null ? `default of ${nameOf(path)}` : `${shown.place}: ${shown.line}`];
}
