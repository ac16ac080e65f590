// Whether what was built is what the sources say now. Plain JavaScript, and little of it: every `wardround …` pays for it.
import { join } from 'node:path';

// An import would load Node's streams and promises of files with it.
const { existsSync, readdirSync, readFileSync, statSync } = process.getBuiltinModule('node:fs');

export const PROJECT_DIR = join(import.meta.dirname, '..');

/**
 * What can be built, of what, and where the record of the last build lies. They are apart so that the command line can
 * be built anew while a server runs from the files of the other one.
 */
export const BUILDS = {
  server: {
    record: 'build/built.json',
    sources: ['src', 'static', 'scripts/native-packages.ts', 'package-lock.json', 'svelte.config.js', 'vite.config.ts'],
  },
  commands: {
    record: 'dist/built.json',
    sources: [
      'src/lib',
      'cli',
      'scripts/build.ts',
      'scripts/native-packages.ts',
      'scripts/serve.ts',
      'scripts/settings-or-exit.ts',
      'package-lock.json',
    ],
  },
};

/** @typedef {keyof typeof BUILDS} BuildName */
/**
 * @typedef {{ folder: string, sources: string, basePath?: string }} BuildRecord `folder` starts in the project folder;
 *   `basePath` is of a server.
 */

/**
 * Name, time and size of everything that a build is made of. Compared as a whole, it also notices files that are gone,
 * and older ones that another branch has brought back.
 * @param {BuildName} name
 */
export function describeSources(name) {
  /** @type {string[]} */
  const lines = [];
  /** @param {string} path */
  const describe = (path) => {
    const found = statSync(`${PROJECT_DIR}/${path}`, { throwIfNoEntry: false });
    if (found) lines.push(`${path} ${found.mtimeMs} ${found.size}`);
  };
  /** @param {string} folder */
  const walk = (folder) => {
    for (const entry of readdirSync(`${PROJECT_DIR}/${folder}`, { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) walk(path);
      // Editors leave hidden files beside what is being edited.
      else if (!entry.name.startsWith('.') && !entry.name.endsWith('.test.ts')) describe(path);
    }
  };
  for (const source of BUILDS[name].sources)
    if (/\.\w+$/.test(source)) describe(source);
    else if (existsSync(join(PROJECT_DIR, source))) walk(source);
  return lines.sort().join('\n');
}

/**
 * What was built last, fresh or not; null: nothing that could be used.
 * @param {BuildName} name
 * @returns {BuildRecord | null}
 */
export function lastBuild(name) {
  try {
    const record = JSON.parse(readFileSync(join(PROJECT_DIR, BUILDS[name].record), 'utf8'));
    return existsSync(join(PROJECT_DIR, record.folder)) ? record : null;
  } catch {
    return null;
  }
}

/**
 * Whether what was built is what the sources say. Where only what was built is installed, as in the image of ops/docker,
 * there is nothing that it could differ from.
 * @param {BuildName} name
 */
export function isFresh(name) {
  const built = lastBuild(name);
  if (built === null || (name === 'server' && built.basePath !== basePath())) return false;
  return !hasSources() || built.sources === describeSources(name);
}

const hasSources = () => existsSync(join(PROJECT_DIR, 'src'));

/**
 * The path that the pages are built for, from the environment or `.env`. What is no such path is for the settings to
 * name, and nothing is built for it.
 * @returns {'' | `/${string}`}
 */
export function basePath() {
  const file = join(PROJECT_DIR, '.env');
  const given =
    process.env.BASE_PATH ??
    (existsSync(file)
      ? process.getBuiltinModule('node:util').parseEnv(readFileSync(file, 'utf8')).BASE_PATH
      : undefined);
  return /** @type {'' | `/${string}`} */ (/^(?:\/[\w.~-]+)*$/.test(given ?? '') ? (given ?? '') : '');
}

/**
 * Builds what is missing or differs from its sources, in a process of its own that takes the compilers with it when it
 * ends; what it says goes to stderr. Returns the folder of each build. Ends this process when building fails.
 * @template {BuildName} Name
 * @param {Name[]} names
 * @returns {Promise<Record<Name, string>>}
 */
export async function ensureBuilt(...names) {
  const stale = names.filter((name) => !isFresh(name));
  if (stale.length > 0 && !hasSources()) {
    console.error(
      `There are no sources here to build from. What is installed was built for BASE_PATH="${lastBuild('server')?.basePath ?? ''}", and the setting is "${basePath()}"; an image is built for another path with --build-arg BASE_PATH=…`,
    );
    process.exit(1);
  }
  if (stale.length > 0) {
    const { spawnSync } = await import('node:child_process');
    const { status } = spawnSync(process.execPath, [join(PROJECT_DIR, 'scripts/build.ts'), '--if-stale', ...stale], {
      cwd: PROJECT_DIR,
      env: buildEnvironment(process.env),
      stdio: ['ignore', 2, 2],
    });
    if (status !== 0) process.exit(1);
  }
  const folders = names.map((name) => [name, join(PROJECT_DIR, lastBuild(name)?.folder ?? '')]);
  return /** @type {Record<Name, string>} */ (Object.fromEntries(folders));
}

const NEEDED_BY_BUILDS =
  /^(BASE_PATH|PATH|HOME|USER|TMPDIR|TEMP|TMP|LANG|LC_.*|TERM|COLORTERM|NO_COLOR|FORCE_COLOR|CI|NODE_OPTIONS)$/;
const NEEDED_ON_WINDOWS = /^(SYSTEMROOT|COMSPEC|PATHEXT|APPDATA|LOCALAPPDATA|USERPROFILE)$/i;

/**
 * What a build may see of an environment: no setting but the path it is for, no secret. Many packages take part in a build, and what it sees
 * it may write into its output.
 * @param {Readonly<Record<string, string | undefined>>} given
 * @returns {Record<string, string | undefined>}
 */
export const buildEnvironment = (given) => ({
  ...Object.fromEntries(
    Object.entries(given).filter(([name]) => NEEDED_BY_BUILDS.test(name) || NEEDED_ON_WINDOWS.test(name)),
  ),
  // Svelte compiles for development under any other value.
  NODE_ENV: 'production',
});
