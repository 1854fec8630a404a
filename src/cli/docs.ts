/** `npm run docs`: writes the documents that follow from the code. A test fails when they differ. */
import { writeFile } from 'node:fs/promises';
import { endpointsDocument } from './docs/endpoints.ts';
import { errorsDocument } from './docs/errors.ts';
import { logDocument } from './docs/log.ts';
import { metricsDocument } from './docs/metrics.ts';

const DOCUMENTS = {
  'metrics.md': metricsDocument,
  'errors.md': errorsDocument,
  'endpoints.md': endpointsDocument,
  'log.md': logDocument,
};

for (const [name, render] of Object.entries(DOCUMENTS)) {
  await writeFile(new URL(`../../docs/${name}`, import.meta.url), render());
}
