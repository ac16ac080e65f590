import { PURE_FOLDERS, PURE_PACKAGES, PURE_PLACES, PURE_SUFFIXES, ROOMS } from './lint/rooms.js';

/** @param {string} text */
const escaped = (text) => text.replaceAll('.', '\\.');
/** @param {string} name */
const inPackage = (name) => `(^|/)node_modules/(@types/)?${name}/`;

const rooms = ROOMS.map((room) => `^(${[room].flat().map(escaped).join('|')})`);
const TEST = '\\.test\\.ts$';
const WORDS = ['^src/lib/.+/wording/', `^src/lib/.+-(${PURE_SUFFIXES.join('|')})\\.ts$`];
const PURE = [
  ...WORDS,
  ...PURE_PLACES.map((place) => `^${escaped(place)}`),
  `^src/lib/.+/(${PURE_FOLDERS.join('|')})/`,
];

/**
 * The walls that are seen in who imports whom. Those that are seen in a file alone are in `eslint.config.js`.
 * @type {import('dependency-cruiser').IConfiguration}
 */
export default {
  forbidden: [
    {
      name: 'room-in-the-list',
      comment: 'This file lies in no room: give it one, or lint/rooms.js a new one.',
      severity: 'error',
      from: { pathNot: [...rooms, TEST] },
      to: {},
    },
    {
      name: 'room-in-the-list',
      comment: 'What is imported here lies in no room: give it one, or lint/rooms.js a new one.',
      severity: 'error',
      from: {},
      to: { path: '^[^.]', pathNot: [...rooms, TEST, '(^|/)node_modules/'], dependencyTypes: ['local', 'aliased'] },
    },
    ...rooms.map((room, floor) => ({
      name: 'room-order',
      comment: 'A room imports from those below it only, types included; the order is in lint/rooms.js.',
      severity: /** @type {const} */ ('error'),
      from: { path: room, pathNot: TEST },
      to: { path: [...rooms.slice(floor + 1), TEST] },
    })),
    {
      name: 'edges-apart',
      comment:
        'Pages, command line and scripts know nothing of one another, but that the command line is built when stale.',
      severity: 'error',
      from: { path: '^(src/(?!lib/)|cli/|scripts/)', pathNot: TEST },
      to: { path: '^(src/(?!lib/)|cli/|scripts/)', pathNot: ['^$1', '^scripts/built\\.js$'] },
    },
    {
      name: 'no-cycle',
      comment: 'A circle of imports, types included.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'pure-imports-pure',
      comment: 'A pure module takes values from pure modules only; types may come from any room below.',
      severity: 'error',
      from: { path: PURE, pathNot: TEST },
      to: { pathNot: [...PURE, ...PURE_PACKAGES.map(inPackage)], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'components-render',
      comment:
        'A component renders facts: it takes values from facts, words and other components, and fetches nothing.',
      severity: 'error',
      from: { path: '^src/lib/components/', pathNot: TEST },
      to: {
        pathNot: ['^src/lib/(components|facts)/', ...WORDS, inPackage('svelte')],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'svelte-from-svelte',
      comment:
        'Types that a component imports are out of sight here; as nothing else uses components, no circle hides.',
      severity: 'error',
      from: { pathNot: ['\\.svelte$', TEST] },
      to: { path: '\\.svelte$' },
    },
    {
      name: 'raw-database',
      comment: 'Only db/ and the stores know which database it is; a build has its lock in one of its own.',
      severity: 'error',
      from: { pathNot: ['^src/lib/db/', '-store\\.ts$', '^scripts/build\\.ts$', '^tests/', TEST] },
      to: { path: [inPackage('better-sqlite3'), inPackage('drizzle-orm/better-sqlite3')] },
    },
    {
      name: 'resolvable',
      comment: 'What cannot be found cannot be held back. Modules that SvelteKit makes are excepted.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: ['^\\$(app|env)/', '(^|/)\\$types$'] },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    // Not ours, which extends it: the paths in it, `$lib` among them, are read as from the file that is named here.
    tsConfig: { fileName: '.svelte-kit/tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['node', 'import', 'svelte', 'types', 'default'],
      extensions: ['.ts', '.js', '.svelte', '.svelte.ts', '.d.ts', '.css'],
    },
  },
};
