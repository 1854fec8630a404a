import { describe, expect, it } from 'vitest';
import { defaultConfigFile } from '../../src/cli/configuration-file.ts';
import { main } from '../../src/cli/main.ts';
import { recordingTerminal } from './recording-terminal.ts';

const found = (files: readonly string[], environment: Record<string, string> = {}): string =>
  defaultConfigFile({ environment, exists: (file) => files.includes(file) });

describe('the configuration of a command that names none', () => {
  it('is that of the variable, of the working directory, of the service, in this order', () => {
    const both = ['promgate.yml', '/etc/promgate/promgate.yml'];
    expect(found(both, { PROMGATE_CONFIG_FILE: '/srv/gate.yml' })).toBe('/srv/gate.yml');
    expect(found(both, { PROMGATE_CONFIG_FILE: '' })).toBe('promgate.yml');
    expect(found(both)).toBe('promgate.yml');
    expect(found(['/etc/promgate/promgate.yml'])).toBe('/etc/promgate/promgate.yml');
  });

  it('is the one that should be in the working directory where there is none', () => {
    expect(found([])).toBe('promgate.yml');
  });
});

it('is named by a command that takes it from elsewhere than the working directory', async () => {
  const before = process.env['PROMGATE_CONFIG_FILE'];
  process.env['PROMGATE_CONFIG_FILE'] = '/nowhere/gate.yml';
  try {
    const terminal = recordingTerminal();
    expect(await main(['lockouts'], terminal)).toBe(1);
    expect(terminal.stderr.join('\n')).toMatch(/^promgate: the configuration is \/nowhere\/gate\.yml\n/);
    const told = recordingTerminal();
    expect(await main(['lockouts', '--config.file=/nowhere/gate.yml'], told)).toBe(1);
    expect(told.stderr.join('\n')).not.toContain('the configuration is');
  } finally {
    if (before === undefined) delete process.env['PROMGATE_CONFIG_FILE'];
    else process.env['PROMGATE_CONFIG_FILE'] = before;
  }
});
