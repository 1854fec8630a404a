/**
 * `npm run bench [-- --quick] [-- --only=NAME,…]`: measures the gate beside its peers on this machine, prints the tables,
 * and, unless it is quick, writes them to docs/benchmarks.md. Loopback only; ends only what it started.
 */
import { parseArgs } from 'node:util';
import { chooseCores, moveToLoad } from './cores.ts';
import { withLab } from './lab.ts';
import { printFinding, writeFindings } from './report.ts';
import { ROWS } from './rows/all.ts';
import type { Finding, Row } from './rows/row.ts';
import { describeMachine } from './versions.ts';

function chosenRows(only: string | undefined): readonly Row[] {
  if (only === undefined) return ROWS;
  return only.split(',').map((name) => {
    const row = ROWS.find((one) => one.name === name);
    if (row === undefined) throw new Error(`no row ${name}; there are ${ROWS.map((one) => one.name).join(', ')}`);
    return row;
  });
}

const say = (text: string): void => {
  console.error(`bench: ${text}`);
};

async function bench(): Promise<number> {
  const { values } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, only: { type: 'string' } },
  });
  const rows = chosenRows(values.only);
  const cores = chooseCores();
  moveToLoad(cores);
  const findings = new Map<Row, Finding | string>();
  await withLab({ cores, quick: values.quick, say }, async (lab) => {
    for (const row of rows) {
      say(`${row.name} …`);
      const startedAt = performance.now();
      try {
        findings.set(row, await row.run(lab));
      } catch (error) {
        findings.set(row, error instanceof Error ? error.message : String(error));
        say(`${row.name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      }
      console.log(printFinding(row, findings.get(row) ?? ''));
      say(`${row.name} took ${Math.round((performance.now() - startedAt) / 1000)} s`);
    }
  });
  if (!values.quick && findings.size > 0) await writeFindings(findings, await describeMachine());
  return [...findings.values()].some((finding) => typeof finding === 'string') ? 1 : 0;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
process.exitCode = await bench();
