import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Settings } from '../src/lib/config.ts';
import { hostAndPort } from '../src/lib/facts/host-words.ts';

export const PROJECT_DIR = join(import.meta.dirname, '..');
const BUILT = join(PROJECT_DIR, 'build/index.js');
/** What the build is made of. */
const SOURCES = ['src', 'static', 'package-lock.json', 'svelte.config.js', 'vite.config.ts'];

const newestMs = (path: string): number =>
  statSync(path).isDirectory()
    ? Math.max(0, ...readdirSync(path).map((name) => newestMs(join(path, name))))
    : statSync(path).mtimeMs;

/** Builds the app if there is no build or a source is newer. Ends the process when the build fails. */
export function buildIfStale(): void {
  const isFresh =
    existsSync(BUILT) && SOURCES.every((source) => newestMs(join(PROJECT_DIR, source)) <= statSync(BUILT).mtimeMs);
  if (isFresh) return;
  console.log('Building the app (about ten seconds, at first start and after a change) …');
  const vite = join(PROJECT_DIR, 'node_modules/vite/bin/vite.js');
  const build = spawnSync(process.execPath, [vite, 'build'], { cwd: PROJECT_DIR, encoding: 'utf8' });
  if (build.status === 0) return;
  console.error(`${build.stdout}${build.stderr}\nThe build has failed; see above.`);
  process.exit(1);
}

/** Starts the built server in this process, with the environment as it is now. */
export async function serve(listen: Settings['listen']): Promise<void> {
  await assertPortIsFree(listen);
  await import(BUILT);
}

/** The server's own message would be a stack trace. */
async function assertPortIsFree({ host, port }: Settings['listen']): Promise<void> {
  const probe = createServer();
  try {
    await once(probe.listen(port, host), 'listening');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    console.error(
      `Cannot listen on ${hostAndPort(host, port)} (${code}). Another program may be using it: choose another one with PORT=3001.`,
    );
    process.exit(1);
  }
  await once(probe.close(), 'close');
}
