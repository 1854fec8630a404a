/** `acme` as it is written, with the contents of its files → AcmeSettings. Pure; rules/acme.ts has judged it. */
import type { AcmeFiles } from './acme-files.ts';
import { pathBeside } from './acme-files.ts';
import type { AcmeDirectory, AcmeSettings, ChallengeSettings, WantedCertificate } from './config.ts';
import { WELL_KNOWN } from './schema-acme.ts';
import type { RawAcme } from './schema-acme.ts';

/** @param configFile the configuration file's name; relative paths are relative to its directory. */
export function resolveAcme(acme: RawAcme | undefined, files: AcmeFiles, configFile: string): AcmeSettings | null {
  if (acme === undefined) return null;
  const directories = [acme, ...acme.fallback].map(({ directory_url: { name, url } }, index): AcmeDirectory => {
    const { ca, externalAccount } = files[index] ?? { ca: null, externalAccount: null };
    return { name, url, ca, externalAccount };
  });
  return {
    directories,
    staging: directories[0]?.name === 'letsencrypt' ? STAGING : null,
    email: acme.email ?? null,
    certificates: wantedCertificates(acme),
    challenge: resolveChallenge(acme, configFile),
    stateDirectory: pathBeside(configFile, acme.state_dir),
  };
}

const STAGING: AcmeDirectory = {
  name: 'letsencrypt-staging',
  url: WELL_KNOWN['letsencrypt-staging'],
  ca: null,
  externalAccount: null,
};

/** One certificate of `domains`, or those of `certificates`; what these do not say is as above them. */
export function wantedCertificates(acme: RawAcme): readonly WantedCertificate[] {
  const written = acme.certificates ?? (acme.domains === undefined ? [] : [{ domains: acme.domains }]);
  return written.map(({ domains, ...own }: NonNullable<RawAcme['certificates']>[number]) => ({
    names: domains,
    keyType: own.key_type ?? acme.key_type,
    profile: own.profile ?? acme.profile ?? null,
  }));
}

function resolveChallenge({ challenge }: RawAcme, configFile: string): ChallengeSettings {
  const { type, listen, webroot, hook, propagation } = challenge;
  switch (type) {
    case 'http-01':
      return webroot === undefined
        ? { kind: 'http-01', listen: listen.text }
        : { kind: 'webroot', directory: pathBeside(configFile, webroot) };
    case 'tls-alpn-01':
      return { kind: 'tls-alpn-01' };
    case 'dns-01':
      return { kind: 'dns-01', hook: pathBeside(configFile, hook ?? ''), propagationMs: propagation };
  }
}
