/** The admin listener's page for people: plain HTML, no scripts, no styles, everything escaped. Never shows a secret. */
import type { Config } from '../config/config.ts';
import type { ActiveLockout } from './ports.ts';

export interface StatusFacts {
  readonly version: string;
  readonly config: Config;
  readonly now: number;
  readonly ready: { readonly ready: boolean; readonly reasons: readonly string[] };
  readonly upstreams: ReadonlyMap<string, boolean>;
  readonly lockouts: readonly ActiveLockout[];
}

const MOST_LOCKOUTS = 100;
const DAY_MS = 86_400_000;

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${String(character.charCodeAt(0))};`);
}

function table(title: string, header: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return `<h2>${escapeHtml(title)}</h2><p>none</p>`;
  const row = (cells: readonly string[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  return `<h2>${escapeHtml(title)}</h2><table>${row(header, 'th')}${rows.map((cells) => row(cells, 'td')).join('')}</table>`;
}

function endOf(notAfter: number, now: number): string {
  const days = Math.floor((notAfter - now) / DAY_MS);
  const left = days < 0 ? 'expired' : `${String(days)} days left`;
  return `${new Date(notAfter).toISOString()} (${left})`;
}

function upstreamState(up: boolean | undefined): string {
  if (up === undefined) return 'not probed yet';
  return up ? 'up' : 'down';
}

export function renderStatusPage({ version, config, now, ready, upstreams, lockouts }: StatusFacts): string {
  const tls = config.tls;
  const facts = [
    ['version', version],
    ['configuration', `${config.file} (hash ${config.hash}, generation ${String(config.generation)})`],
    ['state', ready.ready ? 'ready' : `not ready: ${ready.reasons.join('; ')}`],
    ['listeners', config.listen.map((address) => address.text).join(', ')],
    [
      'authentication',
      `${config.authenticate}${tls === null ? ', plain HTTP' : `, client certificates ${tls.trust.type}`}`,
    ],
  ];
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>promgate</title></head><body><h1>promgate</h1>',
    table('Gate', ['what', 'value'], facts),
    table(
      'Certificates',
      ['name', 'end', 'serial'],
      (tls?.certificates ?? []).map((pair) => [pair.name, endOf(pair.notAfter, now), pair.serial]),
    ),
    table(
      'Revocation lists',
      ['issuer', 'next update'],
      (tls?.trust.crls ?? []).map((crl) => [
        crl.issuer,
        crl.nextUpdate === null ? 'not said' : endOf(crl.nextUpdate, now),
      ]),
    ),
    table(
      'Upstreams',
      ['upstream', 'kind', 'path prefix', 'state'],
      config.upstreams.map((upstream) => [
        upstream.name,
        upstream.kind,
        upstream.pathPrefix,
        upstreamState(upstreams.get(upstream.name)),
      ]),
    ),
    table(
      `Lockouts (${String(lockouts.length)})`,
      ['address', 'user', 'until'],
      lockouts
        .slice(0, MOST_LOCKOUTS)
        .map((lockout) => [lockout.address, lockout.user ?? 'every user', new Date(lockout.untilMs).toISOString()]),
    ),
    '<p><a href="/metrics">metrics</a></p></body></html>\n',
  ].join('\n');
}
