// `npm test`: everything that must hold, in the order in which it fails fastest. Installs what the machine lacks.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ensureBuilt, PROJECT_DIR } from './built.js';
import { ensureSystemPackages } from './system-packages.ts';

process.chdir(PROJECT_DIR);
// What a developer has set for real use must not reach a test.
for (const name of [
  'DATABASE_URL',
  'ENCRYPTION_KEY',
  'ENCRYPTION_KEY_FILE',
  'ENABLE_HEALTH_MONITOR',
  'NODE_ENV',
  'BASE_PATH',
])
  delete process.env[name];

const VITEST_REPORT = 'test-results/vitest.json';
const BROWSER_REPORT = 'test-results/browser.json';

/** Runs a tool of the project; whether it succeeded. */
function run(title: string, tool: string, ...args: string[]): boolean {
  console.log(`\n── ${title}`);
  return spawnSync(join('node_modules', '.bin', tool), args, { stdio: 'inherit' }).status === 0;
}
/**
 * Whether every package runs under the Node that the project brings, by npm's own judgement; `.npmrc` keeps npm from
 * telling what it thinks of the Node that it happens to run under itself.
 */
function packagesFitNode(): boolean {
  console.log('\n── packages and their Node');
  const { status, stderr } = spawnSync('npm', ['ci', '--dry-run', '--offline', '--ignore-scripts', '--loglevel=warn'], {
    encoding: 'utf8',
    // npm is started by the first Node on the path.
    env: { ...process.env, PATH: [join(PROJECT_DIR, 'node_modules/.bin'), process.env.PATH].join(delimiter) },
  });
  console.error(stderr);
  return status === 0 && !/^npm warn/m.test(stderr);
}
const readReport = (file: string): unknown => {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return {};
  }
};

ensureSystemPackages();
rmSync('test-results', { recursive: true, force: true });
mkdirSync('test-results', { recursive: true });

const checks = [
  packagesFitNode(),
  run('formatting', 'prettier', '--check', '--log-level', 'warn', '.'),
  run('types of the framework', 'svelte-kit', 'sync'),
  run('types', 'svelte-check', '--tsconfig', './tsconfig.json', '--fail-on-warnings', '--output', 'human'),
  run('lint', 'eslint', '.'),
  run('walls between rooms', 'depcruise', 'src', 'cli', 'demo', 'bench', 'scripts', 'tests'),
  run('unused code', 'knip'),
];
console.log('\n── build');
await ensureBuilt('server', 'commands');
const suites = [
  run(
    'unit and integration tests',
    'vitest',
    'run',
    '--reporter',
    'default',
    '--reporter',
    'json',
    '--outputFile.json',
    VITEST_REPORT,
  ),
  // After Vitest: Playwright empties the folder of its own results only.
  run('browser tests', 'playwright', 'test'),
];

const vitest = readReport(VITEST_REPORT) as { numPassedTests?: number; numFailedTests?: number };
const browser = (readReport(BROWSER_REPORT) as { stats?: { expected: number; unexpected: number; flaky: number } })
  .stats;
const passed = (vitest.numPassedTests ?? 0) + (browser?.expected ?? 0);
const failed = (vitest.numFailedTests ?? 0) + (browser ? browser.unexpected + browser.flaky : 0);
const whole = [...checks, ...suites].every(Boolean) && vitest.numPassedTests !== undefined && browser !== undefined;
if (!whole) console.error('\nNot everything holds; see above.');
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = whole && failed === 0 && passed > 0 ? 0 : 1;
