/** Before the first load: revocation lists of `crl.fetch` that are not there yet. Without them the gate does not start. */
import { lstat, readFile } from 'node:fs/promises';
import { pathBeside } from '../config/acme-files.ts';
import { readClientTrust } from '../config/client-trust.ts';
import { operatorFiles } from '../config/files.ts';
import { parseConfig } from '../config/parse.ts';
import type { Clock } from '../lib/clock.ts';
import type { KeeperLog } from '../tls/authority/hourly-care.ts';
import { createDownload } from '../tls/authority/list-download.ts';
import { fetchList } from '../tls/authority/list-fetcher.ts';

/** Never rejects; what is wrong with the file is the loader's to say. */
export async function fetchMissingLists(
  configFile: string,
  { clock, log }: { readonly clock: Clock; readonly log: KeeperLog },
): Promise<void> {
  const text = await readFile(configFile, 'utf8').catch(() => '');
  const written = text.includes('fetch') ? await parseConfig(text) : null;
  if (written?.ok !== true) return;
  const { crl, tls_server_config: tls } = written.raw;
  if (crl === undefined || tls === undefined) return;
  const missing = [];
  for (const entry of crl.fetch) {
    const isThere = (await lstat(pathBeside(configFile, entry.file)).catch(() => null)) !== null;
    if (!isThere) missing.push(entry);
  }
  if (missing.length === 0) return;
  const reading = { files: operatorFiles(configFile), now: clock.now(), inForce: [] };
  const read = await readClientTrust(
    { tls: { ...tls, client_crl_files: [] }, fetch: missing, verifiesClients: false },
    reading,
  );
  if (!read.ok) return;
  const trust = { ca: read.value.ca.map(({ pem }) => pem), crls: [] };
  for (const [index, { url, file: name, interval }] of missing.entries()) {
    const file = pathBeside(configFile, name);
    const fetch = { url, file, ca: read.value.fetchCas[index] ?? '', intervalMs: interval };
    try {
      await fetchList(fetch, trust, { clock, download: createDownload(clock) });
      log.info({ file, url }, 'fetched the first revocation list');
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'unknown reason';
      log.error({ file, url, reason }, 'the first revocation list was not fetched');
    }
  }
}
