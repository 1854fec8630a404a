// Which folder of src/ may import which: the one table behind the lint rule (eslint.config.js), the architecture test
// and docs/architecture.md. What is not listed is forbidden, for types as well as for values.

/** The files in src/request/ that wire the steps; every other file there is a contract or data that all may read. */
const WIRING = [
  'request/app-switch.ts',
  'request/app.ts',
  'request/decide-question.ts',
  'request/decide.ts',
  'request/pipeline.ts',
];
const CONTRACTS = ['formats', 'config/config.ts', 'observe/ports.ts', 'lib'];
const STEP = ['request/*', ...CONTRACTS];
const STEPS = ['request/accept', 'request/authenticate', 'request/authorize', 'request/forward', 'request/respond'];

/**
 * `folder` is everything below it, `folder/*` the files directly in it (without the wiring), `folder/file.ts` one file.
 * The first row whose `from` matches a file is the one that holds for it.
 */
export const ARROWS = [
  { from: 'cli', to: ['*'] },
  ...WIRING.map((from) => ({ from, to: ['request', ...CONTRACTS] })),
  { from: 'request/enforce', to: [...STEP, 'promql'] },
  ...STEPS.map((from) => ({ from, to: STEP })),
  { from: 'request/*', to: ['request/*', 'formats', 'config/config.ts', 'lib'] },
  { from: 'listen', to: STEP },
  { from: 'tls', to: ['formats', 'config/config.ts', 'lib'] },
  { from: 'observe', to: ['request/*', 'config/config.ts', 'promql', 'lib'] },
  { from: 'config', to: ['formats', 'promql', 'request/endpoints.ts', 'lib'] },
  { from: 'formats', to: ['lib'] },
  { from: 'promql', to: ['formats', 'lib'] },
  { from: 'lib', to: [] },
];

/**
 * Whether a pattern of the table means this file.
 * @param {string} pattern a row's `from`, or an item of its `to`
 * @param {string} file path below src/, with slashes
 */
export function covers(pattern, file) {
  if (pattern === '*') return true;
  if (pattern.endsWith('/*')) {
    const folder = pattern.slice(0, -1);
    return file.startsWith(folder) && !file.slice(folder.length).includes('/') && !WIRING.includes(file);
  }
  return file === pattern || file.startsWith(`${pattern}/`);
}

/**
 * Whether one file of src/ may import another; both as paths below src/. A folder may always import from itself.
 * @param {string} from
 * @param {string} to
 */
export function mayImport(from, to) {
  const row = ARROWS.find((candidate) => covers(candidate.from, from));
  return row !== undefined && [row.from, ...row.to].some((pattern) => covers(pattern, to));
}
