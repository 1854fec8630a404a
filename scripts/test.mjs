// `npm test`: dependencies, build, types, lint, format, real servers, then every test on this Node and those that meet
// Node's own network code on Node 24 as well. The last line is `N passed, N failed`; the exit code is 0 only when
// nothing failed. `--quick` leaves Node 24 out.
import { checkNodeVersion } from './node-version.mjs';

checkNodeVersion();
import('./test-run.mjs');
