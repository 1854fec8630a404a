/** Rules over `acme`: what is wanted exists once, can be proved by the challenge, and fits the rest of the file. */
import { isIP } from 'node:net';
import { coversName } from '../../formats/covers-name.ts';
import { unfitForPublicCa } from '../../formats/public-name.ts';
import { WELL_KNOWN } from '../schema-acme.ts';
import type { DocumentPath, Problem } from '../../lib/problem.ts';
import { wantedCertificates } from '../resolve-acme.ts';
import type { RawAcme, RawDirectory } from '../schema-acme.ts';
import { FIRST_NODE_WITH_MIXED_KEYS } from '../tls-names.ts';
import { error, warning } from './rule.ts';
import type { Rule, RuleInput } from './rule.ts';

const ACME = 'acme';
const TLS = 'tls_server_config';
/** What Let's Encrypt takes; others take no more. */
const MOST_NAMES = 100;
const HTTPS_PORT = 443;
/** CAs that know their customers before an account can be made. */
const NEED_BINDING: Readonly<Record<string, string>> = {
  zerossl: 'https://zerossl.com/documentation/acme/generate-eab-credentials/',
  google: '`gcloud publicca external-account-keys create`',
};

export const acmeRule: Rule = (input) => {
  const { acme } = input.raw;
  if (acme === undefined) return [];
  return [
    ...fileProblems(input),
    ...nameProblems(acme),
    ...proofProblems(acme, input),
    ...keyTypeProblems(acme, input),
    ...directoryProblems(acme),
    ...publicNameProblems(acme),
  ];
};

/** Files beside acme are served until the CA has issued: each ought to have one of the names, or it never is. */
function fileProblems({ raw: { acme }, pairs }: RuleInput): Problem[] {
  if (acme === undefined) return [];
  const wanted = wantedCertificates(acme);
  return (pairs ?? []).flatMap((pair) => {
    if (wanted.some(({ names }) => names.some((name) => coversName(pair.names, name)))) return [];
    const message = `the certificate ${JSON.stringify(pair.name)} has no name of acme: it is not served`;
    const hint = 'beside acme a certificate file is served until the CA has issued one for the same name: remove it';
    return [warning(message, [TLS], { at: 'key', hint })];
  });
}

/** What a public CA refuses for good ought not to be asked of it, and counted by it, in the night. */
function publicNameProblems(acme: RawAcme): Problem[] {
  const directories = [acme, ...acme.fallback].map(({ directory_url: { name } }) => name);
  // Another CA, such as one's own, may certify what it likes.
  if (directories.some((name) => !Object.hasOwn(WELL_KNOWN, name))) return [];
  return places(acme).flatMap(({ names, path }) =>
    names.flatMap((name, index) => {
      const why = unfitForPublicCa(name);
      if (why === null) return [];
      const hint = `${String(directories[0])} refuses it, as every public CA does: use a public name, a CA of your own in directory_url, or \`promgate pki\``;
      return [error(`${JSON.stringify(name)} ${why}: no public CA certifies it`, [...path, index], { hint })];
    }),
  );
}

interface Place {
  readonly names: readonly string[];
  readonly path: DocumentPath;
}

function places({ domains, certificates }: RawAcme): Place[] {
  const several = (certificates ?? []).map(({ domains: names }, index) => ({
    names,
    path: [ACME, 'certificates', index, 'domains'],
  }));
  return domains === undefined ? several : [{ names: domains, path: [ACME, 'domains'] }, ...several];
}

function nameProblems(acme: RawAcme): Problem[] {
  const found: Problem[] = [];
  if (acme.domains === undefined && acme.certificates === undefined) {
    found.push(error('missing one of domains or certificates', [ACME, 'domains'], { at: 'map' }));
  }
  if (acme.domains !== undefined && acme.certificates !== undefined) {
    const hint = 'move domains to an entry of certificates';
    found.push(error('domains contradicts certificates', [ACME, 'domains'], { at: 'key', hint }));
  }
  if (acme.certificates?.length === 0) {
    found.push(error('certificates is empty', [ACME, 'certificates'], { at: 'key', hint: 'list domains' }));
  }
  const firstNames = new Map<string, string>();
  for (const { names, path } of places(acme)) {
    const [first] = names;
    if (first === undefined) {
      found.push(error('domains is empty', path, { at: 'key', hint: 'list the names of the certificate' }));
      continue;
    }
    if (names.length > MOST_NAMES) {
      const hint = 'use several entries of certificates';
      found.push(
        error(`${String(names.length)} names in one certificate, CAs take ${String(MOST_NAMES)}`, path, {
          at: 'key',
          hint,
        }),
      );
    }
    for (const [index, name] of names.entries()) {
      if (names.indexOf(name) !== index) found.push(error(`${JSON.stringify(name)} is there twice`, [...path, index]));
    }
    if (firstNames.has(first)) {
      const hint = 'the first name is the name of the certificate: begin with another one';
      found.push(error(`two certificates begin with ${JSON.stringify(first)}`, [...path, 0], { hint }));
    }
    firstNames.set(first, first);
  }
  return found;
}

function proofProblems(acme: RawAcme, { listen }: RuleInput): Problem[] {
  const { type, webroot, hook, listen: challengeListen } = acme.challenge;
  const found: Problem[] = [];
  for (const { names, path } of places(acme)) {
    for (const [index, name] of names.entries()) {
      if (name.startsWith('*.') && type !== 'dns-01') {
        const hint = 'set type: dns-01 and a hook in challenge, or list the names';
        found.push(error(`a wildcard cannot be proved by ${type}`, [...path, index], { hint }));
      }
      if (isIP(name) !== 0 && type === 'dns-01') {
        const hint = 'use http-01 or tls-alpn-01';
        found.push(error('an IP address cannot be proved by dns-01', [...path, index], { hint }));
      }
    }
  }
  const challenge = (key: string): DocumentPath => [ACME, 'challenge', key];
  if (type === 'dns-01' && hook === undefined) {
    const hint = 'a program that is called with present or cleanup; docs/configuration.md says how';
    found.push(error('dns-01 needs a hook', challenge('hook'), { at: 'map', hint }));
  }
  if (hook !== undefined && type !== 'dns-01') {
    found.push(warning(`hook has no effect with ${type}`, challenge('hook'), { at: 'key' }));
  }
  if (webroot !== undefined && type !== 'http-01') {
    found.push(warning(`webroot has no effect with ${type}`, challenge('webroot'), { at: 'key' }));
  }
  const isOnHttps = listen.some((address) => address.kind === 'tcp' && address.port === HTTPS_PORT);
  if (type === 'tls-alpn-01' && !isOnHttps) {
    const hint = 'add ":443" to listen_addresses, or forward port 443 to the gate';
    found.push(warning('a CA asks on port 443, where the gate does not listen', challenge('type'), { hint }));
  }
  const taken =
    type === 'http-01' && webroot === undefined && challengeListen.kind === 'tcp' && challengeListen.port !== 0
      ? listen.find((address) => address.kind === 'tcp' && address.port === challengeListen.port)
      : undefined;
  if (taken !== undefined) {
    const hint = 'the challenge is answered in plain HTTP, on a port of its own';
    found.push(
      error(`challenge.listen is a listen address of the gate: ${JSON.stringify(taken.text)}`, challenge('listen'), {
        at: 'value',
        hint,
      }),
    );
  }
  return found;
}

/** Before Node 24 a certificate whose key is of another type than the default one's is not served under its name. */
function keyTypeProblems(acme: RawAcme, { nodeMajor }: RuleInput): Problem[] {
  const [first, ...others] = wantedCertificates(acme);
  if (first === undefined || nodeMajor >= FIRST_NODE_WITH_MIXED_KEYS) return [];
  const family = (type: string): string => (type.startsWith('rsa') ? 'rsa' : 'ec');
  return others.flatMap(({ keyType }, index) => {
    if (family(keyType) === family(first.keyType)) return [];
    const message = `a key of type ${keyType} beside a first one of type ${first.keyType}: this Node would serve the wrong certificate`;
    const hint = 'use keys of one type, or Node 24 or later';
    return [error(message, [ACME, 'certificates', index + 1, 'key_type'], { hint })];
  });
}

function directoryProblems(acme: RawAcme): Problem[] {
  const all: readonly (readonly [Pick<RawDirectory, 'directory_url' | 'external_account_binding'>, DocumentPath])[] = [
    [acme, [ACME]],
    ...acme.fallback.map((directory, index) => [directory, [ACME, 'fallback', index]] as const),
  ];
  const urls = all.map(([directory]) => directory.directory_url.url);
  return all.flatMap(([{ directory_url: url, external_account_binding: binding }, path], index) => {
    const found: Problem[] = [];
    const at = [...path, 'directory_url'];
    const where = NEED_BINDING[url.name];
    if (where !== undefined && binding === undefined) {
      const hint = `set external_account_binding; get it from ${where}`;
      found.push(error(`${url.name} makes accounts for its customers only`, at, { hint }));
    }
    if (urls.indexOf(url.url) !== index) {
      found.push(error(`${url.name} is tried already`, at, { hint: 'remove it from fallback' }));
    }
    return found;
  });
}
