/** The steps of a renewal: one line that is written over for a person, plain lines for everybody else. */
import { expect, it } from 'vitest';
import { createProgressLine } from '../../src/cli/acme/progress-line.ts';
import { rewriting } from '../../src/cli/terminal.ts';
import { recordingTerminal } from './recording-terminal.ts';

const STEPS: readonly (readonly [string, string])[] = [
  ['account', 'asking pebble'],
  ['order', 'gate.example.com'],
  ['challenge', 'presenting the answer to http-01 for gate.example.com'],
  ['validation', 'the CA looks at gate.example.com'],
  ['issue', 'asking for a certificate with a new p256 key'],
  ['issued', 'by CN=Pebble'],
  ['swap', 'new connections get the new certificate'],
];

function onTerminal(columns = 200): {
  text: () => string;
  screen: () => string[];
  line: ReturnType<typeof createProgressLine>;
} {
  let text = '';
  const terminal = {
    out: (line: string) => {
      text += `${line}\n`;
    },
    rewrite: rewriting(
      (part) => {
        text += part;
      },
      () => columns,
    ),
  };
  /** What is left to see: a carriage return goes back to the beginning, and what is written covers what was there. */
  const screen = (): string[] =>
    text.split('\n').map((row) =>
      row
        .split('\r')
        .reduce((seen, part) => part + seen.slice(part.length), '')
        .trimEnd(),
    );
  return { text: () => text, screen, line: createProgressLine(terminal) };
}

it('without a terminal every step is a plain line', () => {
  const terminal = recordingTerminal();
  const line = createProgressLine(terminal);
  for (const [step, detail] of STEPS) line.step(step, detail);
  line.end();
  expect(terminal.stdout).toEqual(STEPS.map(([step, detail]) => `${step.padEnd(12)} ${detail}`));
});

it('on a terminal the steps are one line, with a bar, and what came of it stays', () => {
  const { text, screen, line } = onTerminal();
  for (const [step, detail] of STEPS.slice(0, 4)) line.step(step, detail);
  expect(text()).not.toContain('\n');
  expect(screen()).toEqual(['[####---] validation   the CA looks at gate.example.com']);
  for (const [step, detail] of STEPS.slice(4)) line.step(step, detail);
  line.end();
  expect(screen()).toEqual(['issued       by CN=Pebble', 'swap         new connections get the new certificate', '']);
});

it('a step that fails stays in sight, and what is written next has a line of its own', () => {
  const { screen, line } = onTerminal();
  for (const [step, detail] of STEPS.slice(0, 4)) line.step(step, detail);
  line.end();
  line.end();
  expect(screen()).toEqual(['[####---] validation   the CA looks at gate.example.com', '']);
});

it('a line is never as wide as the terminal, and holds no control character of a CA', () => {
  const { text, line } = onTerminal(40);
  line.step('order', `\u001b[2J\r\n${'x'.repeat(500)}`);
  expect(text()).toHaveLength(40);
  for (const character of '\r\n\u001b') expect(text().slice(1)).not.toContain(character);
});

it('a second certificate begins at the beginning', () => {
  const { screen, line } = onTerminal();
  for (const [step, detail] of [...STEPS.slice(0, 6), ...STEPS.slice(0, 2)]) line.step(step, detail);
  expect(screen()).toEqual(['issued       by CN=Pebble', '[##-----] order        gate.example.com']);
});
