/** What `acme` asks for, resolved: which certificates, of whom, how a name is proved, and where it is all kept. Types only. */

/** One certificate that is wanted: the first name is its name everywhere. */
export interface WantedCertificate {
  readonly names: readonly string[];
  readonly keyType: 'p256' | 'p384' | 'rsa2048' | 'rsa4096';
  readonly profile: string | null;
}

export interface AcmeDirectory {
  readonly url: string;
  readonly name: string;
  /** PEM that verifies the directory's TLS; null: the system's roots. */
  readonly ca: string | null;
  readonly externalAccount: { readonly keyId: string; readonly hmacKey: string } | null;
}

export type ChallengeSettings =
  /** `listen`: as `:80`. */
  | { readonly kind: 'http-01'; readonly listen: string }
  | { readonly kind: 'webroot'; readonly directory: string }
  | { readonly kind: 'tls-alpn-01' }
  | { readonly kind: 'dns-01'; readonly hook: string; readonly propagationMs: number };

export interface AcmeSettings {
  /** Tried in turn; never empty. */
  readonly directories: readonly AcmeDirectory[];
  /** Asked after a failure, before a real one is asked again; null: there is none. */
  readonly staging: AcmeDirectory | null;
  readonly email: string | null;
  readonly certificates: readonly WantedCertificate[];
  readonly challenge: ChallengeSettings;
  readonly stateDirectory: string;
}
