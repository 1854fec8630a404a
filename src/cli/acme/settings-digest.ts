/** Whether two processes mean the same certificates: what an `acme` section asks for, without secrets and file contents. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parseConfig } from '../../config/parse.ts';
import type { AcmeSettings } from '../../config/config.ts';
import { resolveAcme } from '../../config/resolve-acme.ts';

/** @returns hex of a SHA-256; null without a section. */
export function acmeDigest(settings: AcmeSettings | null): string | null {
  if (settings === null) return null;
  const { directories, staging, email, certificates, challenge, stateDirectory } = settings;
  const asked = [...directories, ...(staging === null ? [] : [staging])].map(({ url }) => url);
  const text = JSON.stringify([asked, email, certificates, challenge, stateDirectory]);
  return createHash('sha256').update(text).digest('hex');
}

/**
 * Of the section as it stands in a file: reads nothing else, so that it also works for a user who may not read keys.
 * @returns undefined when the file has errors: then it cannot be told.
 */
export async function acmeDigestOf(configFile: string): Promise<string | null | undefined> {
  const text = await readFile(configFile, 'utf8').catch(() => null);
  const written = text === null ? null : await parseConfig(text);
  return written?.ok === true ? acmeDigest(resolveAcme(written.raw.acme, [], configFile)) : undefined;
}
