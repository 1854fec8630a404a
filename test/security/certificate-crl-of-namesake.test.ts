/**
 * The attack: none is needed. A CA was renewed under its old name with a new key, and both lists are configured: their
 * numbers count apart, but the gate compares them by name. It starts, and from then on refuses every reload as a
 * rollback, so that an address that the operator denies in an emergency stays admitted until somebody restarts it.
 */
import { appendFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthority } from '../support/certificates.ts';
import type { Authority } from '../support/certificates.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

describe('CRLs of two CAs with the same name', () => {
  let old: Authority;
  let renewed: Authority;
  let scene: Scene;

  beforeAll(async () => {
    old = createAuthority('Company CA');
    renewed = createAuthority('Company CA');
    scene = await startScene({
      files: {
        'ca.crt': old.cert + renewed.cert,
        'old.crl': old.crl({ number: 80 }).pem,
        'new.crl': renewed.crl({ number: 1 }).pem,
      },
      yaml: '  client_crl_files: [old.crl, new.crl]\nupstreams: [{url: self}]',
    });
  });
  afterAll(async () => {
    await scene.stop();
    old.remove();
    renewed.remove();
  });

  it('do not stop the reload of a configuration that has not changed, or of one that denies an address', async () => {
    expect((await scene.gate.command('reload', `--config.file=${scene.gate.configFile}`)).code).toBe(0);
    await appendFile(scene.gate.configFile, 'deny: [127.0.0.77]\n');
    await scene.gate.command('reload', `--config.file=${scene.gate.configFile}`);
    expect((await scene.askAsStranger('/metrics', '--interface', '127.0.0.77')).status).toBe(0);
  });
});
