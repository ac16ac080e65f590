// `npm run build`, and what runs when a build is missing or stale: see `built.js`. Says what it does on stderr.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import Sqlite from 'better-sqlite3';
import { basePath, buildEnvironment, BUILDS, describeSources, isFresh, lastBuild, PROJECT_DIR } from './built.js';
import { NATIVE_PACKAGES } from './native-packages.ts';

type BuildName = keyof typeof BUILDS;

const DIST = dirname(BUILDS.commands.record);
const LOCK_PATIENCE_MS = 10 * 60_000;

process.chdir(PROJECT_DIR);
// Also for `npm run build`, which gets the environment of whoever calls it. Vite is loaded later, and sees this one.
const clean = buildEnvironment(process.env);
for (const name of Object.keys(process.env)) if (!(name in clean)) delete process.env[name];
Object.assign(process.env, clean);

const ifStale = process.argv.includes('--if-stale');
try {
  const lock = takeLock();
  // Whoever held the lock may have built the same.
  const wanted = (Object.keys(BUILDS) as BuildName[]).filter((name) => !ifStale || !isFresh(name));
  const named = process.argv.filter((arg) => arg in BUILDS);
  const due = wanted.filter((name) => named.length === 0 || named.includes(name));
  if (existsSync('node_modules/vite')) for (const name of due) await build(name);
  else stayAsBuilt(due);
  lock.close();
} catch (error) {
  console.error(error);
  console.error('The build has failed; see above.');
  process.exitCode = 1;
}

/** One build at a time. A lock of SQLite's is let go by the operating system, however its holder ends. */
function takeLock(): Sqlite.Database {
  try {
    mkdirSync(DIST, { recursive: true });
    accessSync(DIST, constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`${resolve(DIST)} cannot be written to (${code}). Run "npm run build" as who owns this folder.`, {
      cause: error,
    });
  }
  const lock = new Sqlite(join(DIST, 'build.lock'), { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    if ((error as { code?: string }).code !== 'SQLITE_BUSY') throw error;
    console.error('Another process is building; waiting for it …');
    lock.pragma(`busy_timeout = ${LOCK_PATIENCE_MS}`);
    lock.exec('BEGIN EXCLUSIVE');
  }
  return lock;
}

/** Where only what a server needs is installed, copied files may look newer than they are. */
function stayAsBuilt(names: readonly BuildName[]): void {
  const missing = names.filter((name) => lastBuild(name) === null);
  if (missing.length > 0)
    throw new Error(`There is no build of ${missing.join(' and ')}, and no Vite to make one. Run "npm ci" first.`);
  if (names.includes('server') && lastBuild('server')?.basePath !== basePath())
    throw new Error(
      `The pages are built for BASE_PATH="${lastBuild('server')?.basePath ?? ''}", not for "${basePath()}", and there is no Vite to build them anew. Run "npm ci" first.`,
    );
  for (const name of names)
    console.error(`The build of ${name} differs from its sources and stays as it is: Vite is not installed.`);
}

async function build(name: BuildName): Promise<void> {
  // Before: what is edited meanwhile makes the next start build again.
  const sources = describeSources(name);
  const folder = name === 'server' ? buildServer() : await buildCommands();
  const { record } = BUILDS[name];
  writeFileSync(
    `${record}.new`,
    JSON.stringify({ folder, sources, ...(name === 'server' ? { basePath: basePath() } : {}) }),
  );
  renameSync(`${record}.new`, record);
}

function buildServer(): string {
  console.error('Building the server (some twenty seconds, at first start and after a change) …');
  // Its many lines are of interest when it fails.
  const { status, stdout, stderr } = spawnSync(process.execPath, ['node_modules/vite/bin/vite.js', 'build'], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`vite build has failed\n${stdout}${stderr}`);
  return 'build';
}

/** Each build gets a folder of its own, and the one before stays: a command that is running loads parts of it later. */
async function buildCommands(): Promise<string> {
  console.error('Building the command line (a second or two, at first use and after a change) …');
  const folder = join(DIST, String(Date.now()));
  const previous = lastBuild('commands')?.folder;
  const { build } = await import('vite');
  await build({
    configFile: false,
    root: PROJECT_DIR,
    envDir: false,
    publicDir: false,
    logLevel: 'warn',
    // Vite's own way to take types away reads tsconfig.json, and that one needs what SvelteKit makes at its first run.
    oxc: false,
    ssr: { noExternal: true, external: NATIVE_PACKAGES },
    build: {
      ssr: true,
      outDir: folder,
      target: 'node22',
      minify: false,
      sourcemap: true,
      rolldownOptions: {
        tsconfig: false,
        input: { main: 'cli/main.ts', serve: 'scripts/serve.ts' },
        // As modules, each import of a part of Node would load all that belongs to it: a sixth of a short command's time.
        output: { format: 'cjs', entryFileNames: '[name].cjs', chunkFileNames: '[name]-[hash].cjs' },
      },
    },
  });
  for (const { name } of readdirSync(DIST, { withFileTypes: true }).filter((entry) => entry.isDirectory()))
    if (![folder, previous].includes(join(DIST, name))) rmSync(join(DIST, name), { recursive: true });
  return folder;
}
