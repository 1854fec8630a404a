/** The rules that keep the house small and safe, executed: arrows, cycles, sizes, names, and side effects at the rim. */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { ARROWS, covers, mayImport } from '../scripts/arrows.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const LONGEST_FILE = 400;
const MOST_LIB_FILES = 8;
const NAMELESS = /^(?:utils?|helpers?|common|misc|manager)$/;
/** A test that does not run as it stands. */
const MARKED = /\b(?:it|test|describe)\.(?:skip|only|todo|skipIf|runIf|fails)\b/;
const CLOCK = 'lib/clock.ts';
const TIME_SOURCES = new Set(['Date.now', 'performance.now', 'setTimeout', 'setInterval']);

interface Import {
  /** Path below src/, with slashes. */
  readonly to: string;
  readonly typeOnly: boolean;
}

interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly syntax: ts.SourceFile;
  readonly imports: readonly Import[];
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(ROOT, folder).length + 1));
}

function visit(node: ts.Node, look: (node: ts.Node) => void): void {
  look(node);
  ts.forEachChild(node, (child) => {
    visit(child, look);
  });
}

function importsOf(path: string, syntax: ts.SourceFile): Import[] {
  const found: Import[] = [];
  const add = (specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (specifier === undefined || !ts.isStringLiteral(specifier) || !specifier.text.startsWith('.')) return;
    found.push({ to: normalize(join(dirname(path), specifier.text)), typeOnly });
  };
  visit(syntax, (node) => {
    if (ts.isImportDeclaration(node)) {
      add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    } else if (ts.isExportDeclaration(node)) {
      add(node.moduleSpecifier, node.isTypeOnly);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], false);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, true);
    }
  });
  return found;
}

function readSource(path: string): SourceFile {
  const text = readFileSync(join(ROOT, 'src', path), 'utf8');
  const syntax = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
  return { path, text, syntax, imports: importsOf(path, syntax) };
}

/** The names that a file uses as values: `process`, `Date.now`, …; not the ones it declares or imports. */
function usedNames(syntax: ts.SourceFile): string[] {
  const names: string[] = [];
  visit(syntax, (node) => {
    if (ts.isPropertyAccessExpression(node)) names.push(node.getText(syntax));
    if (!ts.isIdentifier(node)) return;
    const { parent } = node;
    if (ts.isPropertyAccessExpression(parent) && parent.name === node) return;
    if ((ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent)) && parent.name === node) return;
    names.push(node.text);
  });
  return names;
}

/** The first cycle of value imports, as the files that it goes through; null when there is none. */
function findCycle(sources: ReadonlyMap<string, SourceFile>): string[] | null {
  const finished = new Set<string>();
  const walk = (path: string, trail: readonly string[]): string[] | null => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (finished.has(path)) return null;
    for (const { to, typeOnly } of sources.get(path)?.imports ?? []) {
      const cycle = typeOnly ? null : walk(to, [...trail, path]);
      if (cycle !== null) return cycle;
    }
    finished.add(path);
    return null;
  };
  for (const path of sources.keys()) {
    const cycle = walk(path, []);
    if (cycle !== null) return cycle;
  }
  return null;
}

const sources = new Map(
  filesBelow('src')
    .filter((path) => path.endsWith('.ts'))
    .map((path) => [path, readSource(path)]),
);

describe('the arrows', () => {
  it('hold for every import, of types too', () => {
    const against = [...sources.values()].flatMap(({ path, imports }) =>
      imports.filter(({ to }) => !mayImport(path, to)).map(({ to }) => `${path} → ${to}`),
    );
    expect(against).toEqual([]);
  });

  it('are the ones that docs/architecture.md shows', () => {
    const [, section = ''] =
      /^## Arrows$(.*?)^## /ms.exec(readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8')) ?? [];
    const shown = [...section.matchAll(/^\| `([^`]+)` +\|(.*)\|$/gm)].map(([, from, to = '']) => ({
      from,
      to: [...to.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
    }));
    expect(shown).toEqual(ARROWS.map(({ from, to }) => ({ from, to: [...to] })));
  });

  it('start from files that exist', () => {
    const paths = [...sources.keys()];
    expect(ARROWS.filter(({ from }) => !paths.some((path) => covers(from, path)))).toEqual([]);
  });

  it.each([
    ['request/accept/plugin.ts', 'request/authorize/plugin.ts'],
    ['request/passage.ts', 'request/pipeline.ts'],
    ['request/forward/plugin.ts', 'config/load.ts'],
    ['listen/listener.ts', 'request/accept/plugin.ts'],
    ['formats/crl.ts', 'config/config.ts'],
    ['lib/clock.ts', 'formats/duration.ts'],
    ['nowhere/file.ts', 'lib/clock.ts'],
  ])('do not let %s import %s', (from, to) => {
    expect(mayImport(from, to)).toBe(false);
  });
});

describe('the sources', () => {
  it('have no cycle of value imports', () => {
    expect(findCycle(sources)).toBeNull();
  });

  it(`have no file of more than ${LONGEST_FILE} lines`, () => {
    const tooLong = [...sources.values()].filter(({ text }) => text.trimEnd().split('\n').length > LONGEST_FILE);
    expect(tooLong.map(({ path }) => path)).toEqual([]);
  });

  it('have names that say what a file is', () => {
    const all = [
      ...filesBelow('src').map((path) => `src/${path}`),
      ...filesBelow('test').map((path) => `test/${path}`),
    ];
    const nameless = all.filter((path) => path.split('/').some((part) => NAMELESS.test(part.replace(/\..*$/, ''))));
    expect(nameless).toEqual([]);
  });

  it('are named in kebab-case and say in a header what they are', () => {
    const wrong = [...sources.values()].filter(
      ({ path, text }) => !/^(?:[a-z0-9-]+\/)*[a-z0-9-]+\.ts$/.test(path) || !/^(?:#!.*\n)?\/(?:\*\*|\/)/.test(text),
    );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it(`keep lib/ at ${MOST_LIB_FILES} files at most`, () => {
    expect([...sources.keys()].filter((path) => path.startsWith('lib/')).length).toBeLessThanOrEqual(MOST_LIB_FILES);
  });

  it('touch process, the console and node:process in cli/ only', () => {
    const outside = [...sources.values()].filter(({ path }) => !path.startsWith('cli/'));
    const against = outside.filter(
      ({ syntax, text }) =>
        usedNames(syntax).some((name) => name === 'process' || name === 'console') ||
        /from '(?:node:)?process'/.test(text),
    );
    expect(against.map(({ path }) => path)).toEqual([]);
  });

  it('use packages that are installed in production', () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { dependencies: object };
    const production = new Set(Object.keys(manifest.dependencies));
    const foreign = [...sources.values()].flatMap(({ path, syntax }) =>
      ts
        .preProcessFile(syntax.text)
        .importedFiles.map(({ fileName }) => fileName)
        .filter((name) => !name.startsWith('.') && !name.startsWith('node:'))
        .map((name) => name.split('/', name.startsWith('@') ? 2 : 1).join('/'))
        .filter((name) => !production.has(name))
        .map((name) => `${path} → ${name}`),
    );
    expect(foreign).toEqual([]);
  });

  it('take the time from lib/clock.ts only', () => {
    const against = [...sources.values()].filter(
      ({ path, syntax, text }) =>
        path !== CLOCK &&
        (usedNames(syntax).some((name) => TIME_SOURCES.has(name)) ||
          /from '(?:node:)?(?:timers|perf_hooks)/.test(text)),
    );
    expect(against.map(({ path }) => path)).toEqual([]);
  });
});

describe('the tests', () => {
  it('are all run: none is skipped, exclusive or empty', () => {
    const marked = filesBelow('test')
      .filter((path) => path.endsWith('.test.ts'))
      .filter((path) => MARKED.test(readFileSync(join(ROOT, 'test', path), 'utf8')));
    expect(marked).toEqual([]);
  });
});
