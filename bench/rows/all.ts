/** The rows in the order in which they run and are printed. */
import { allowList } from './allow-list.ts';
import { attacks } from './attacks.ts';
import { crowd } from './crowd.ts';
import { exporterPage } from './exporter-page.ts';
import { federation } from './federation.ts';
import { floodAddresses } from './flood-addresses.ts';
import { passwordFlood } from './flood.ts';
import { masters } from './masters.ts';
import { memory } from './memory.ts';
import type { Row } from './row.ts';
import { startUp } from './start-up.ts';
import { twoBytes } from './two-bytes.ts';

export const ROWS: readonly Row[] = [
  twoBytes,
  exporterPage,
  federation,
  masters,
  passwordFlood,
  floodAddresses,
  ...attacks,
  crowd,
  memory,
  startUp,
  allowList,
];
