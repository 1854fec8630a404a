// Type-checked lint. The arrows between the folders come from scripts/arrows.mjs; time, process and the console have
// one place each. Formatting is prettier's work.
import { dirname, relative, resolve, sep } from 'node:path';
import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';
import { mayImport } from './scripts/arrows.mjs';

const SOURCE = resolve(import.meta.dirname, 'src');
const belowSource = (path) => relative(SOURCE, path).split(sep).join('/');

/** Reports an import that the table of arrows does not list. */
const arrows = {
  meta: {
    type: 'problem',
    schema: [],
    messages: { forbidden: '{{from}} may not import {{to}}: the arrows are in scripts/arrows.mjs' },
  },
  create(context) {
    const from = belowSource(context.filename);
    const check = ({ source }) => {
      if (typeof source?.value !== 'string' || !source.value.startsWith('.')) return;
      const to = belowSource(resolve(dirname(context.filename), source.value));
      if (!mayImport(from, to)) context.report({ node: source, messageId: 'forbidden', data: { from, to } });
    };
    return {
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
    };
  },
};

const SEEDED = 'Properties have the seed of the run: import fc from test/support/property.ts.';
const TIME = 'Time comes from the Clock that is passed in (src/lib/clock.ts).';
const PURE = 'This folder is pure: text or bytes in, values out.';
const PROCESS = 'process, environment and signals belong to src/cli/; pass in what is needed.';

export default defineConfig(
  { ignores: ['dist/', 'node_modules/', '.cache/', 'coverage/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.test.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-unnecessary-condition': 'error',
      '@typescript-eslint/strict-boolean-expressions': ['error', { allowNullableObject: true, allowString: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // A signature may say what it is without a body, and hooks of Fastify have one shape whether they wait or not.
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/consistent-type-definitions': 'off',
      eqeqeq: 'error',
      'no-constant-binary-expression': 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    plugins: { promgate: { rules: { arrows } } },
    rules: { 'promgate/arrows': 'error' },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/cli/**'],
    rules: {
      'no-console': 'error',
      'no-restricted-globals': [
        'error',
        { name: 'process', message: PROCESS },
        ...['setTimeout', 'setInterval', 'performance'].map((name) => ({ name, message: TIME })),
      ],
      'no-restricted-properties': ['error', { object: 'Date', property: 'now', message: TIME }],
    },
  },
  {
    files: ['src/lib/clock.ts'],
    rules: { 'no-restricted-globals': 'off', 'no-restricted-properties': 'off' },
  },
  {
    files: ['src/formats/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^(node:)?(fs|http|https|http2|tls|dns|child_process|worker_threads)(/|$)|^(@?fastify|undici)',
              message: PURE,
            },
            { regex: '^node:net$', allowImportNames: ['isIP', 'isIPv4', 'isIPv6'], message: PURE },
          ],
        },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // A test asserts that a value is there, and of its type, by using it.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/strict-boolean-expressions': 'off',
      '@typescript-eslint/no-unnecessary-condition': 'off',
    },
  },
  {
    files: ['test/**/*.ts'],
    ignores: ['test/support/property.ts'],
    rules: { 'no-restricted-imports': ['error', { paths: [{ name: 'fast-check', message: SEEDED }] }] },
  },
  {
    files: ['**/*.mjs', '**/*.js'],
    languageOptions: {
      globals: Object.fromEntries(
        ['process', 'console', 'setTimeout', 'clearTimeout', 'performance', 'URL', 'Buffer'].map((name) => [
          name,
          'readonly',
        ]),
      ),
    },
  },
);
