import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import ts from 'typescript-eslint';
import { PURE_FOLDERS, PURE_PLACES, PURE_SUFFIXES } from './lint/rooms.js';
import walls from './lint/walls.js';
import svelteConfig from './svelte.config.js';

const TESTS = ['**/*.test.ts', 'tests/**', 'bench/**'];
const PURE = [
  ...PURE_PLACES.map((place) => (place.endsWith('/') ? `${place}**/*.ts` : place)),
  `src/lib/**/{${PURE_FOLDERS.join(',')}}/**/*.ts`,
  `src/lib/**/*-{${PURE_SUFFIXES.join(',')}}.ts`,
];
const BREAKER = 'src/lib/monitoring/circuit-breaker.ts';

/** So that command line, workers and tests run everything but the pages without the web framework. */
const NO_FRAMEWORK = {
  group: ['$lib', '$lib/*', '$app/*', '$env/*', '@sveltejs/*'],
  message: 'only pages and hooks know the framework; elsewhere import by relative path',
};

/** `.dependency-cruiser.js` sees the values that a component imports; of its types, these are barred. */
const NO_EDGES = {
  group: ['routes', 'cli', 'demo', 'bench', 'scripts', 'tests'].map((edge) => `**/${edge}/**`),
  message: 'a component does not know where it is used',
};

export default ts.config(
  { ignores: ['.svelte-kit/', 'build/', 'dist/', 'data/', '.rig/', 'drizzle/', 'playwright-report/', 'test-results/'] },
  js.configs.recommended,
  ts.configs.strictTypeChecked,
  svelte.configs.recommended,
  {
    languageOptions: { parserOptions: { projectService: true, extraFileExtensions: ['.svelte'] } },
    plugins: { walls },
    rules: {
      // TypeScript knows what is defined.
      'no-undef': 'off',
      'walls/no-barrel': 'error',
      // Every import is in sight of .dependency-cruiser.js, and a type import is gone when the program runs.
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      // `{ id: _id, ...rest }` leaves something out.
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],

      // Of strictTypeChecked, what is taken in part.
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      '@typescript-eslint/no-misused-spread': ['error', { allow: ['string'] }],
      // Looking up in a table gives undefined, too (noUncheckedIndexedAccess), where the key is known to be there.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowNullish: true }],
      '@typescript-eslint/restrict-plus-operands': ['error', { allowNumberAndString: true }],

      // Of strictTypeChecked, what is left out.
      // It takes `signal.aborted`, asked again after an await, for asked once too often, and `shared[KEY] ??= …` for
      // needless under exactOptionalPropertyTypes: of its nine findings one was right.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // Variables of the environment, and the app on globalThis, are taken away by name.
      '@typescript-eslint/no-dynamic-delete': 'off',
      // It takes `Promise.withResolvers<void>()` for wrong.
      '@typescript-eslint/no-invalid-void-type': 'off',
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } },
  },
  {
    files: ['**/*.svelte'],
    rules: {
      // Components get their links resolved; the rule sees literal calls only.
      'svelte/no-navigation-without-resolve': 'off',
      // `void value` tells an effect what it depends on.
      '@typescript-eslint/no-meaningless-void-operator': 'off',
      // What a page's load returns has a type for svelte-check alone, which does these checks; ESLint takes it for `any`.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/restrict-plus-operands': 'off',
      '@typescript-eslint/restrict-template-expressions': 'off',
    },
  },
  {
    files: TESTS,
    rules: {
      // `expect.any(…)` and `expect.objectContaining(…)` are `any` by their types.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      // A test's ward is an object of functions that know no `this`, and is taken apart.
      '@typescript-eslint/unbound-method': 'off',
      // What stands in for something asynchronous has nothing to wait for.
      '@typescript-eslint/require-await': 'off',
    },
  },
  { files: ['**/*.js'], extends: [ts.configs.disableTypeChecked] },

  // The walls that are seen in a file alone; those between files are in .dependency-cruiser.js.
  {
    files: ['src/lib/**', 'cli/**', 'demo/**', 'bench/**', 'scripts/**', 'tests/**'],
    rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns: [NO_FRAMEWORK] }] },
  },
  {
    files: ['src/lib/**/*.svelte'],
    rules: {
      '@typescript-eslint/no-restricted-imports': ['error', { patterns: [NO_FRAMEWORK, NO_EDGES] }],
      'walls/svelte-types': 'error',
    },
  },
  {
    files: ['tests/browser/**'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          paths: [
            {
              name: '@playwright/test',
              importNames: ['test'],
              message: 'that of support/browser.ts begins when the scripts of the page are at work',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['src/routes/**', 'src/hooks.server.ts'],
    ignores: ['src/routes/posted-form.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        ...['[object.name="request"]', '[object.property.name="request"]'].map((object) => ({
          selector: `MemberExpression[property.name=/^(formData|json|arrayBuffer|text)$/]${object}`,
          message: 'posted-form.ts reads what was posted, and refuses what cannot be read: take it from locals.form',
        })),
      ],
    },
  },
  // Nothing may forget the path that the site is served under.
  {
    files: ['src/routes/**'],
    ignores: ['src/routes/site.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          paths: [
            {
              name: '@sveltejs/kit',
              importNames: ['redirect'],
              message: 'seeOther of site.ts knows where the site is',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['src/**/*.svelte'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: 'SvelteAttribute[key.name=/^(href|action|src)$/] > SvelteLiteral:first-child[value=/^\\u002f/]',
          message: 'pages resolve where they lead (resolve of $app/paths), and hand it to components',
        },
      ],
    },
  },
  {
    files: ['**/{index,util,utils,helper,helpers,types,common,misc,shared}.{ts,js}'],
    rules: { 'walls/no-drawer': 'error' },
  },
  {
    files: ['src/**', 'cli/**', 'demo/**', 'bench/**', 'scripts/**'],
    ignores: ['src/lib/monitoring/health-store.ts', '**/*.test.ts'],
    rules: { 'walls/health-state': 'error' },
  },
  { files: ['src/lib/views/**/*.ts'], ignores: ['**/*.test.ts'], rules: { 'walls/views-read': 'error' } },
  {
    files: ['src/**', 'cli/**', 'scripts/**'],
    ignores: ['src/lib/app.ts', '**/*.test.ts'],
    rules: { 'walls/one-owner': 'error' },
  },
  { files: ['src/lib/app.ts'], rules: { 'walls/one-symbol': 'error' } },
  {
    files: PURE,
    ignores: ['**/*.test.ts'],
    languageOptions: {
      parserOptions: { lib: ['esnext'] },
      globals: { AbortSignal: 'readonly', Buffer: 'readonly', URL: 'readonly', URLSearchParams: 'readonly' },
    },
    rules: {
      // Beside these, only what ECMAScript itself defines: no process, fetch, console, timer, crypto, performance …
      'no-undef': 'error',
      // … nor what leads to them, shares memory or runs text.
      'no-restricted-globals': ['error', 'globalThis', 'eval', 'Function', 'Atomics', 'SharedArrayBuffer', 'WeakRef'],
      // As a type it belongs to the shape of an attempt; what makes one sets a timer.
      'no-restricted-properties': ['error', { object: 'AbortSignal' }],
      'walls/clock': 'error',
      'walls/time-zone': 'error',
      'walls/chance': 'error',
      'walls/loading-code': 'error',
      'walls/memory': 'error',
    },
  },
  { files: [BREAKER], rules: { 'walls/clock': 'off', 'walls/clock-but-by-default': 'error' } },
);
