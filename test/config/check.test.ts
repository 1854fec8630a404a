/** `promgate check`, as it is typed. */
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { recordingTerminal } from '../cli-unit/recording-terminal.ts';

it('checks promgate.yml of the working directory when no file is named, and says where it looked', async () => {
  const terminal = recordingTerminal();
  expect(await main(['check'], terminal)).toBe(1);
  expect(terminal.stderr.join('\n')).toContain(`"promgate.yml" does not exist: looked for ${resolve('promgate.yml')}`);
  expect(terminal.stderr.join('\n')).toContain('hint: `promgate init` writes one');
  expect(terminal.stdout).toEqual(['promgate.yml: failed, 1 error']);
});
