import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { ESLint } from 'eslint';
import { expect, it } from 'vitest';

/** The first look with types reads the whole project. */
const PATIENCE_MS = 240_000;
const PROJECT = resolve(import.meta.dirname, '..');

/** A line, and the wall that it breaks; null: it breaks none. */
type Line = readonly [wall: string | null, line: string];

/** What the project's own lint says of each line, were this the text of that file. */
async function lint(path: string, lines: readonly Line[], frame = { head: '', tail: '' }): Promise<Line[]> {
  const text = `${frame.head}${lines.map(([, line]) => line).join('\n')}\n${frame.tail}`;
  const [result] = await new ESLint({ cwd: PROJECT }).lintText(text, { filePath: join(PROJECT, path) });
  const above = frame.head.split('\n').length;
  return lines.map(([, line], index) => {
    const found = result?.messages.filter((message) => message.line === above + index && !isAside(message.ruleId));
    return [found?.map(({ ruleId }) => ruleId ?? 'unreadable')[0] ?? null, line];
  });
}
/** Lines that only show a wall leave what they make unused. */
const isAside = (rule: string | null): boolean => /no-unused|prefer-const|no-var$/.test(rule ?? '');

const PURE_LINES: readonly Line[] = [
  [null, 'export const then = new Date(0), day = Date.UTC(2026, 0, 1), most = Math.max(1, 2);'],
  [null, 'export const isDate = (value: unknown): value is Date => value instanceof Date;'],
  [null, "export const words = new Intl.DateTimeFormat('en', { timeZone: 'UTC' }).format(then);"],
  ['walls/clock', 'export const a = Date.now();'],
  ['walls/clock', 'export const b = [1].map(Date.now);'],
  ['walls/clock', 'export const c = new Date();'],
  ['walls/clock', 'export const { now } = Date;'],
  ['walls/clock', 'export const Clock = Date;'],
  ['walls/clock', 'export const d = (at = Date.now()): number => at;'],
  ['walls/clock', "export const e = new Intl.DateTimeFormat('en', { timeZone: 'UTC' }).format();"],
  ['no-undef', 'export const f = performance.now();'],
  ['no-undef', 'export const g = process.env;'],
  ['no-restricted-globals', 'export const h = globalThis.process;'],
  ['no-undef', 'export const i = crypto.randomUUID();'],
  ['no-undef', "export const j = fetch('https://example.com');"],
  ['no-undef', 'export const k = setTimeout(isDate, 1);'],
  ['no-undef', "console.log('x');"],
  ['@typescript-eslint/no-require-imports', "export const l: unknown = require('node:fs');"],
  ['no-restricted-properties', 'export const m = AbortSignal.timeout(1);'],
  ['walls/chance', 'export const n = Math.random();'],
  ['walls/chance', 'export const { random } = Math;'],
  ['walls/loading-code', "export const o = import('./plain-text.ts');"],
  ['walls/loading-code', 'export const p = import.meta.url;'],
  ['walls/time-zone', 'export const q = then.getHours();'],
  ['walls/time-zone', "export const r = then.toLocaleDateString('en');"],
  ['walls/time-zone', "export const s = new Intl.DateTimeFormat('en');"],
  ['walls/memory', 'let calls = 0;'],
  ['walls/memory', 'export const seen = new Map<string, number>();'],
];

it.each(['src/lib/facts/time-words.ts', 'src/lib/monitoring/rules/verdict.ts', 'src/lib/views/status-words.ts'])(
  'a pure module knows no clock, no chance and no world: %s',
  async (path) => expect(await lint(path, PURE_LINES)).toEqual(PURE_LINES),
  PATIENCE_MS,
);

it(
  'the circuit breaker may take the clock as a default, and in no other way',
  async () => {
    const lines: readonly Line[] = [
      [null, 'export const a = (at = Date.now()): number => at;'],
      ['walls/clock-but-by-default', 'export const b = (at = Date.now): number => at();'],
      ['walls/clock-but-by-default', 'export const c = Date.now();'],
    ];
    expect(await lint('src/lib/monitoring/circuit-breaker.ts', lines)).toEqual(lines);
  },
  PATIENCE_MS,
);

const HEALTH_STATE: readonly Line[] = [
  ['walls/health-state', "import { healthChecks as state } from '../db/schema.ts';"],
  [null, "import { healthChecks, users } from '../db/schema.ts';"],
  [null, "import * as schema from '../db/schema.ts';"],
  [null, "import type { Transaction } from '../db/client.ts';"],
  [null, 'export const read = (tx: Transaction) => tx.select().from(healthChecks).get();'],
  [null, 'export const other = (tx: Transaction) => tx.delete(users).run();'],
  ['walls/health-state', 'export const a = (tx: Transaction) => tx.delete(healthChecks).run();'],
  ['walls/health-state', 'export const b = (tx: Transaction) => tx.insert(schema.healthChecks);'],
  ['walls/health-state', 'export const c = (tx: Transaction) => tx.update(healthChecks).set({}).run();'],
  ['walls/health-state', "export const d = 'UPDATE health_checks SET status = 1';"],
  ['walls/health-state', 'const table = healthChecks;'],
];

it(
  'only the health store writes health state',
  async () => {
    expect(await lint('src/lib/fleet-admin/edit-vps.ts', HEALTH_STATE)).toEqual(HEALTH_STATE);
    expect(await lint('src/lib/monitoring/health-store.ts', HEALTH_STATE)).toEqual(
      HEALTH_STATE.map(([, line]) => [null, line]),
    );
  },
  PATIENCE_MS,
);

const TABLES = "import { write } from '../db/client.ts'; import { users } from '../db/schema.ts';";
it.each<[path: string, lines: readonly Line[]]>([
  [
    'src/lib/views/made-up.ts',
    [
      [null, `${TABLES} import type { App } from '../app.ts';`],
      ['walls/views-read', 'export const a = ({ db }: App) => db.update(users).set({ name: null }).run();'],
      ['walls/views-read', 'export const b = ({ db }: App) => write(db, (tx) => tx.select().from(users).all());'],
      ['@typescript-eslint/no-restricted-imports', "import { defaultApp } from '$lib/app';"],
      ['@typescript-eslint/no-restricted-imports', "import type { Page } from '@sveltejs/kit';"],
      ['@typescript-eslint/consistent-type-imports', "export type Row = import('./fleet-read.ts').FleetRow;"],
      ['walls/no-barrel', "export * from './fleet-read.ts';"],
      ['walls/no-barrel', "export { listVps } from './fleet-read.ts';"],
    ],
  ],
  [
    'cli/output.ts',
    [
      ['@typescript-eslint/no-restricted-imports', "import { building } from '$app/environment';"],
      ['@typescript-eslint/no-restricted-imports', "import { env } from '$env/dynamic/private';"],
    ],
  ],
  [
    'src/lib/live/stream.ts',
    [
      ['walls/one-owner', "export const KEY = Symbol.for('wardround.second');"],
      ['walls/one-owner', 'export const shared = globalThis as { stream?: number };'],
    ],
  ],
  [
    'src/lib/app.ts',
    [
      [null, "const APP = Symbol.for('wardround.app');"],
      ['walls/one-symbol', "const SECOND = Symbol.for('wardround.second');"],
    ],
  ],
  [
    'src/lib/components/Ago.svelte',
    [
      [null, "<script lang='ts'>"],
      [null, "import Notice from './Notice.svelte';"],
      [null, "import type { FleetRow } from '../views/fleet-read.ts';"],
      ['walls/svelte-types', "import type Field from './Field.svelte';"],
      ['@typescript-eslint/no-restricted-imports', "import type { PageData } from '../../routes/$types';"],
      ['@typescript-eslint/no-restricted-imports', "import type { Context } from '../../../cli/context.ts';"],
      ['@typescript-eslint/no-restricted-imports', "import { page } from '$app/state';"],
      [null, '</script>'],
      ['no-restricted-syntax', '<a href="/vps/new">Add</a>'],
      ['no-restricted-syntax', '<form method="POST" action="/theme"></form>'],
      [null, '<form method="POST" action="?/test"></form>'],
      [null, '<img src="{Notice}/badge.svg" alt="">'],
    ],
  ],
  [
    'src/routes/answer.ts',
    [
      [null, "import { error } from '@sveltejs/kit';"],
      ['@typescript-eslint/no-restricted-imports', "import { redirect } from '@sveltejs/kit';"],
    ],
  ],
])('rooms keep to their trade: %s', async (path, lines) => expect(await lint(path, lines)).toEqual(lines), PATIENCE_MS);

it.each(['utils.ts', 'types.ts', 'index.ts', 'common.ts'])('there is no drawer: %s', async (name) => {
  const config = (await new ESLint({ cwd: PROJECT }).calculateConfigForFile(`src/lib/views/${name}`)) as {
    rules: Record<string, unknown>;
  };
  expect(config.rules['walls/no-drawer']).toEqual([2]);
});

const PROMISES: readonly Line[] = [
  [null, 'export const later = async (): Promise<void> => Promise.resolve();'],
  [null, 'export const one = async (): Promise<void> => { await later(); void later(); };'],
  ['@typescript-eslint/no-floating-promises', 'export const two = (): void => { later(); };'],
  ['@typescript-eslint/no-misused-promises', 'export const three = (): number => (later() ? 1 : 2);'],
  ['@typescript-eslint/no-misused-promises', 'export const four = (): void => { [1].forEach(async () => later()); };'],
  ['@typescript-eslint/await-thenable', 'export const five = async (): Promise<number> => { await 5; return 5; };'],
  [null, "type Light = 'red' | 'green';"],
  [
    '@typescript-eslint/switch-exhaustiveness-check',
    "export const six = (at: Light): void => { switch (at) { case 'red': } };",
  ],
];

it.each([
  { path: 'src/lib/schedule.ts', head: '', tail: '' },
  { path: 'src/lib/components/Ago.svelte', head: '<script module lang="ts">\n', tail: '</script>\n' },
])(
  'no promise is forgotten and no case either: $path',
  async ({ path, ...frame }) => expect(await lint(path, PROMISES, frame)).toEqual(PROMISES),
  PATIENCE_MS,
);

it('an option that is undefined is not the same as one that is missing', () => {
  // @ts-expect-error -- with exactOptionalPropertyTypes; without it, svelte-check finds this line needless.
  const given: { readonly port?: number } = { port: undefined };
  expect('port' in given).toBe(true);
});

/** A house in which each file breaks the wall that stands beside it; null: none. */
const HOUSE: readonly (readonly [wall: string | null, path: string, text: string])[] = [
  [null, 'src/lib/facts/cause.ts', 'export type Cause = string; export const CAUSES = 1;'],
  [null, 'src/lib/db/schema.ts', "import type { Cause } from '../facts/cause.ts'; export type Row = Cause;"],
  [null, 'src/lib/db/client.ts', "import 'better-sqlite3'; import 'drizzle-orm/better-sqlite3';"],
  [null, 'src/lib/history/sample-store.ts', "import type {} from 'better-sqlite3';"],
  [null, 'src/lib/monitoring/fleet.ts', "import type { Row } from '../db/schema.ts'; export type Fleet = Row;"],
  [
    null,
    'src/lib/monitoring/rules/verdict.ts',
    "import type { Fleet } from '../fleet.ts'; export const judge = (of: Fleet) => of;",
  ],
  [
    null,
    'src/lib/monitoring/fleet.test.ts',
    "import '../../../tests/ward.ts'; import 'better-sqlite3'; import './fleet.ts';",
  ],
  [
    null,
    'src/lib/views/fleet-words.ts',
    "import type { Row } from '../db/schema.ts'; export const say = (row: Row) => row;",
  ],
  [null, 'src/lib/views/fleet-read.ts', "import { say } from './fleet-words.ts'; export const read = say;"],
  [
    null,
    'src/lib/components/Row.svelte',
    `<script lang="ts">import type { Row } from '../db/schema.ts'; import { say } from '../views/fleet-words.ts'; let { row }: { row: Row } = $props();</script>{say(row)}`,
  ],
  [
    null,
    'src/routes/+page.svelte',
    `<script lang="ts">import Row from '$lib/components/Row.svelte'; import { page } from '$app/state';</script><Row row={page.url.href} />`,
  ],
  [
    null,
    'src/routes/+page.server.ts',
    "import type { PageServerLoad } from './$types'; import { read } from '$lib/views/fleet-read'; export const load: PageServerLoad = read;",
  ],
  [null, 'tests/ward.ts', "import '../cli/main.ts'; import '../src/lib/db/client.ts';"],
  [null, 'cli/main.ts', "import '../src/lib/views/fleet-read.ts';"],

  [
    'room-order',
    'src/lib/facts/upward.ts',
    "import type { read } from '../views/fleet-read.ts'; export type Up = typeof read;",
  ],
  [
    'room-order',
    'src/lib/db/upward.ts',
    "import type { Fleet } from '../monitoring/fleet.ts'; export type Up = Fleet;",
  ],
  ['room-order', 'src/lib/notifications/upward.ts', "export type Up = typeof import('../monitoring/fleet.ts');"],
  [null, 'src/lib/components/theme.ts', 'export const THEMES = 2;'],
  [
    'room-order',
    'src/lib/views/upward.ts',
    "import { THEMES } from '../components/theme.ts'; export const up = THEMES;",
  ],
  ['room-order', 'src/lib/history/upward.ts', "export const up = () => import('../monitoring/fleet.ts');"],
  ['room-order', 'src/lib/jobs/upward.ts', "import '../../../tests/ward.ts';"],
  ['room-order', 'src/lib/live/upward.ts', "import '../monitoring/fleet.test.ts';"],
  ['room-in-the-list', 'src/lib/drawer/thing.ts', "import '../facts/cause.ts';"],
  ['room-in-the-list', 'src/lib/views/roomless.ts', "import '../lonely.ts';"],
  [null, 'src/lib/lonely.ts', 'export {};'],
  ['edges-apart', 'cli/apart.ts', "import '../src/routes/+page.server.ts';"],
  ['edges-apart', 'scripts/apart.ts', "import '../src/routes/+page.server.ts';"],
  ['edges-apart', 'src/routes/apart.ts', "import '../../cli/main.ts';"],
  ['room-order', 'src/routes/apart.ts', "import '../../cli/main.ts';"],
  ['svelte-from-svelte', 'src/lib/components/mounts.ts', "import Row from './Row.svelte'; export const a = Row;"],
  [
    'pure-imports-pure',
    'src/lib/monitoring/rules/database.ts',
    "import { open } from '../../db/client.ts'; export const a = open;",
  ],
  [
    'pure-imports-pure',
    'src/lib/monitoring/rules/inline.ts',
    "import { type Fleet, sweep } from '../fleet.ts'; export const a: Fleet = sweep;",
  ],
  [
    'pure-imports-pure',
    'src/lib/facts/files.ts',
    "import { readFileSync } from 'node:fs'; export const a = readFileSync;",
  ],
  [
    'pure-imports-pure',
    'src/lib/views/some-words.ts',
    "import { read } from './fleet-read.ts'; export const a = read;",
  ],
  [
    'pure-imports-pure',
    'src/lib/monitoring/circuit-breaker.ts',
    "import { fleet } from './fleet.ts'; export const a = fleet;",
  ],
  [
    'components-render',
    'src/lib/components/Reads.svelte',
    `<script lang="ts">import { read } from '../views/fleet-read.ts';</script>{read(1)}`,
  ],
  [
    'components-render',
    'src/lib/components/decides.ts',
    "import { judge } from '../monitoring/rules/verdict.ts'; export const a = judge;",
  ],
  ['raw-database', 'src/lib/views/raw.ts', "import Sqlite from 'better-sqlite3'; export const a = Sqlite;"],
  ['raw-database', 'cli/raw.ts', "import type { Database } from 'better-sqlite3'; export type A = Database;"],
  ['raw-database', 'demo/raw.ts', "import { drizzle } from 'drizzle-orm/better-sqlite3'; export const a = drizzle;"],
  ['resolvable', 'src/lib/views/lost.ts', "import '../nowhere.ts';"],
  [null, 'src/lib/views/circle.ts', "import type { B } from './circle-back.ts'; export type A = B;"],
  ['no-cycle', 'src/lib/views/circle-back.ts', "import type { A } from './circle.ts'; export type B = A;"],
  [
    null,
    '.svelte-kit/tsconfig.json',
    '{ "include": ["../src/**/*.ts"], "compilerOptions": { "paths": { "$lib/*": ["../src/lib/*"] } } }',
  ],
];

it(
  'no import goes up, round in a circle, or from what is pure to what is not, types included',
  () => {
    const house = mkdtempSync(join(tmpdir(), 'wardround-house-'));
    try {
      for (const [, path, text] of HOUSE) {
        mkdirSync(join(house, dirname(path)), { recursive: true });
        writeFileSync(join(house, path), text);
      }
      symlinkSync(join(PROJECT, 'node_modules'), join(house, 'node_modules'));
      const cruiser = join(PROJECT, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
      const folders = ['src', 'cli', 'scripts', 'demo', 'tests'];
      const config = ['--config', join(PROJECT, '.dependency-cruiser.js'), '--output-type', 'json'];
      const { stdout, stderr } = spawnSync(process.execPath, [cruiser, ...config, ...folders], {
        cwd: house,
        encoding: 'utf8',
      });
      expect(stderr).toBe('');
      const { summary } = JSON.parse(stdout) as {
        summary: { violations: { rule: { name: string }; from: string }[] };
      };
      const found = summary.violations.map(({ rule, from }) => `${rule.name}: ${from}`);
      const expected = HOUSE.flatMap(([wall, path]) => (wall === null ? [] : [`${wall}: ${path}`]));
      expect(found.toSorted()).toEqual(expected.toSorted());
    } finally {
      rmSync(house, { recursive: true, force: true });
    }
  },
  PATIENCE_MS,
);
