import js from '@eslint/js';
import importX, { createNodeResolver } from 'eslint-plugin-import-x';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

/** Modules that judge and never act, known by place or name: no clock, environment, chance or I/O but as arguments. */
const PURE = [
  'src/lib/facts/**/*.ts',
  'src/lib/**/{rules,wording}/**/*.ts',
  'src/lib/**/*-{words,query,sentence,csv,chart,drawing}.ts',
  'src/lib/monitoring/circuit-breaker.ts',
];
const IO_MODULES = [
  'node:*',
  '!node:util',
  'ssh2',
  'better-sqlite3',
  'drizzle-orm',
  'drizzle-orm/*',
  'node-schedule',
  '$env/*',
  '$app/*',
];

/** `routes → lib`, never back; the raw database stays with db/ and the stores. */
const LIB_WALLS = [
  { group: ['**/routes/**', '**/hooks.server*'], message: 'lib does not know the routes' },
  { group: ['$lib/*', '$app/*', '$env/*'], message: 'lib runs without the web framework: import by relative path' },
];

export default ts.config(
  { ignores: ['.svelte-kit/', 'build/', 'data/', 'drizzle/', 'playwright-report/', 'test-results/'] },
  js.configs.recommended,
  ts.configs.strict,
  svelte.configs.recommended,
  {
    languageOptions: { globals: { ...globals.node } },
    plugins: { 'import-x': importX },
    settings: {
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
      'import-x/resolver-next': [createNodeResolver()],
    },
    rules: {
      'no-undef': 'off',
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      // Symbols on globalThis are how state outlives a hot reload.
      '@typescript-eslint/no-dynamic-delete': 'off',
      // Taking some fields out of a row leaves the others.
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/consistent-type-definitions': 'off',
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: {
      globals: { ...globals.browser },
      parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'], svelteConfig },
    },
  },
  {
    files: ['**/*.svelte'],
    // Components get their links resolved; the rule sees literal calls only.
    rules: { 'svelte/no-navigation-without-resolve': 'off' },
  },
  {
    files: ['src/lib/**/*.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: LIB_WALLS }] },
  },
  {
    files: ['src/lib/components/**'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['**/db/**', '**/app.ts', '**/fleet-read*', '**/monitoring/**'],
              allowTypeImports: true,
              message: 'components render facts, they fetch nothing',
            },
          ],
        },
      ],
    },
  },
  {
    files: PURE,
    ignores: ['**/*.test.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            { group: IO_MODULES, allowTypeImports: true, message: 'this module is pure: it does no I/O' },
            ...LIB_WALLS,
          ],
        },
      ],
      'no-restricted-globals': ['error', 'process', 'fetch', 'setTimeout', 'setInterval', 'console', 'performance'],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'this module is pure: chance is an argument' },
      ],
      'no-restricted-syntax': [
        'error',
        // A default argument is the one place where the contract of the circuit breaker asks for the clock.
        {
          selector: ':not(AssignmentPattern) > CallExpression[callee.object.name="Date"][callee.property.name="now"]',
          message: 'this module is pure: time is an argument',
        },
        {
          selector: 'NewExpression[callee.name="Date"][arguments.length=0]',
          message: 'this module is pure: time is an argument',
        },
      ],
    },
  },
);
