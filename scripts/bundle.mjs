// Joins dist/ and what it imports into few files in dist/bundle/, which is what operators start: loading a thousand small
// modules is most of the time and a good part of the memory of a start. What is loaded only when it is called for (ACME,
// PKI, the other commands) stays in files of its own. Licences travel with the dependencies, which are installed as before.
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT, ScriptError, printError } from './command.mjs';

const DIST = join(ROOT, 'dist');
export const BUNDLE = join(DIST, 'bundle');
/** CommonJS packages call require; the names are ours, so that they meet no other. */
const REQUIRE = `import { createRequire as promgateCreateRequire } from 'node:module';
const require = promgateCreateRequire(import.meta.url);`;

/** Loaded by few, by name from node_modules: CommonJS whose exports a dynamic import of the bundle would not see. */
const LEFT_OUT = ['@peculiar/x509', 'acme-client', 'reflect-metadata'];

/** Fastify loads them for schemas and for injected requests, and has neither here. */
const NEVER_LOADED = ['@fastify/ajv-compiler', '@fastify/fast-json-stringify-compiler', 'light-my-request'];

/** Packages of which the gate uses a part: what stands in their place loads no more than that. And assertions without delay. */
const IN_PART = {
  name: 'in part',
  setup({ onResolve }) {
    onResolve({ filter: /^(?:undici|ws)$/ }, ({ path }) => ({ path: join(ROOT, 'scripts/bundled', `${path}.cjs`) }));
    const assertions = join(ROOT, 'scripts/bundled/assert.cjs');
    onResolve({ filter: /^(?:node:)?assert(?:\/strict)?$/ }, () => ({ path: assertions }));
  },
};

/** Started by a URL, not imported: each lies beside what starts it. */
const WORKERS = ['request/authenticate/hash-worker.js', 'request/enforce/narrowing-worker.js'];

/**
 * Node's own modules by require: an import reads every export of them at once, and so loads what stands behind the lazy
 * ones (Web Crypto, and on Node 22 a WebSocket client): time and memory for nothing.
 */
const BUILTINS_BY_REQUIRE = {
  name: 'builtins by require',
  setup({ onResolve, onLoad }) {
    const filter = new RegExp(`^(?:node:)?(?:${builtinModules.join('|')})$`);
    onResolve({ filter }, ({ path, namespace }) =>
      namespace === 'builtin' ? { path, external: true } : { path, namespace: 'builtin' },
    );
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

function workerEntries() {
  return Object.fromEntries(WORKERS.map((path) => [basename(path, '.js'), join(DIST, path)]));
}

/** @throws {ScriptError} when dist/ is not built or something cannot be joined */
export async function bundle() {
  const { build, stop } = await import('esbuild');
  const entryPoints = { main: join(DIST, 'cli/main.js'), ...workerEntries() };
  const missing = Object.values(entryPoints).find((path) => !existsSync(path));
  if (missing !== undefined) throw new ScriptError(`${missing} is missing`, 'npm run build');
  // Built beside its place and moved there whole: a build that fails leaves the last one as it is.
  const fresh = `${BUNDLE}.new`;
  rmSync(fresh, { recursive: true, force: true });
  const { engines } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  try {
    await build({
      entryPoints,
      outdir: fresh,
      bundle: true,
      external: [...LEFT_OUT, ...NEVER_LOADED],
      plugins: [IN_PART, BUILTINS_BY_REQUIRE],
      minifySyntax: true,
      minifyWhitespace: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: `node${engines.node.replace(/[^\d.]/g, '')}`,
      banner: { js: REQUIRE },
      // Stack traces of the log name our sources.
      sourcemap: true,
      sourcesContent: false,
      legalComments: 'inline',
      logLevel: 'silent',
    });
  } catch (error) {
    throw new ScriptError(`the bundle failed\n${error.message}`);
  } finally {
    // Else its service would live as long as the gate that `npm start` goes on with.
    await stop();
  }
  rmSync(BUNDLE, { recursive: true, force: true });
  renameSync(fresh, BUNDLE);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await bundle();
  } catch (error) {
    printError(error);
    process.exitCode = 1;
  }
}
