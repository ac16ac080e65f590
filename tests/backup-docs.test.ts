import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAdmin } from './support/accounts.ts';
import { endWith, PROJECT_DIR, runCli, scratchEnvironment, startServer } from './support/project.ts';

/** The commands of a section of docs/operations.md, block by block, as they stand there. */
function commandsOf(title: string): string[] {
  const page = readFileSync(join(PROJECT_DIR, 'docs/operations.md'), 'utf8');
  const section = page.split(/^## /m).find((one) => one.startsWith(`${title}\n`)) ?? '';
  return [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, commands = '']) => commands);
}
const [backUp = '', restore = '', byHand = '', ...others] = commandsOf('The database');
if (byHand === '' || others.length > 0) throw new Error('docs/operations.md has other commands than this test follows');
/** Five starts of a process, and on a slow machine. */
const PATIENCE_MS = 300_000;

let scratch: ReturnType<typeof scratchEnvironment>;
let environment: Record<string, string>;
let server: Awaited<ReturnType<typeof startServer>>;
const [first, later] = ['first@example.test', 'later@example.test'];

/** Stands for the project folder: `npx wardround` and the server's unit do there what they do in the real one. */
beforeEach(() => {
  scratch = scratchEnvironment({ ENABLE_HEALTH_MONITOR: 'false' });
  const tools = join(scratch.folder, 'tools');
  const data = join(scratch.folder, 'data');
  for (const folder of [tools, data]) mkdirSync(folder);
  environment = {
    ...scratch.environment,
    PATH: `${tools}:${scratch.environment.PATH}`,
    DATABASE_URL: join(data, 'wardround.db'),
    ENCRYPTION_KEY_FILE: join(data, 'encryption.key'),
    ALLOWED_ADDRESSES: 'any',
  };
  const tool = (name: string, script: string): void =>
    writeFileSync(join(tools, name), `#!/bin/sh\nset -e\n${script}`, { mode: 0o755 });
  tool('npx', `test "$1" = wardround; shift; exec ${process.execPath} ${PROJECT_DIR}/cli/wardround.js "$@"`);
  // At its worst: killed before it could write what is in its -wal into the database, so that it stays behind.
  tool(
    'systemctl',
    `test "$2" = wardround
    case "$1" in
      stop) kill -KILL "$(cat server.pid)"; while kill -0 "$(cat server.pid)" 2>/dev/null; do sleep 0.05; done ;;
      start) touch wanted ;;
      *) exit 1 ;;
    esac`,
  );
});
afterEach(async () => {
  await endWith(server, 'SIGKILL');
  scratch.remove();
});

async function start(): Promise<void> {
  server = await startServer(environment);
  writeFileSync(join(scratch.folder, 'server.pid'), String(server.process.pid));
}
/** As a person does who copies a block into a shell in the project folder. */
const follow = (commands: string) =>
  promisify(execFile)('sh', ['-e', '-c', commands], { cwd: scratch.folder, env: environment });

const admins = async (): Promise<string[]> => {
  const { stdout } = await runCli(environment, 'admin', 'list', '--json');
  return (JSON.parse(stdout) as { email: string }[]).map(({ email }) => email);
};

/** Whole, and with the one account that there was. */
function isAsBackedUp(): boolean {
  const db = new Sqlite(environment.DATABASE_URL);
  try {
    const isWhole = db.pragma('integrity_check', { simple: true }) === 'ok';
    return isWhole && db.prepare('SELECT count(*) FROM users').pluck().get() === 1;
  } catch {
    return false;
  } finally {
    db.close();
  }
}

describe('docs/operations.md, followed to the letter', { timeout: PATIENCE_MS }, () => {
  it.each([
    ['by command', restore],
    ['by hand', byHand],
  ])(
    'backs up a running server and restores it %s, beside the -wal of a server that was killed',
    async (_, commands) => {
      await createAdmin(environment, first);
      await start();
      await follow(backUp);
      expect(statSync(join(scratch.folder, 'wardround-backup.db')).mode & 0o777).toBe(0o600);
      await createAdmin(environment, later);
      expect(statSync(`${environment.DATABASE_URL}-wal`).size).toBeGreaterThan(0);
      expect(await admins()).toEqual([first, later]);

      await follow(commands);
      expect(await server.exited).toBe('SIGKILL');
      expect(existsSync(join(scratch.folder, 'wanted'))).toBe(true);
      await start();
      expect(await admins()).toEqual([first]);
      expect(isAsBackedUp()).toBe(true);
      expect(statSync(environment.DATABASE_URL ?? '').mode & 0o777).toBe(0o600);
    },
  );

  it('would not do with one of the three files only: an old -wal destroys the backup, which is why they go together', async () => {
    await createAdmin(environment, first);
    await start();
    await follow(backUp);
    await createAdmin(environment, later);
    await follow('systemctl stop wardround; cp wardround-backup.db data/wardround.db');
    expect(isAsBackedUp()).toBe(false);
    // The command mends that too.
    await follow('npx wardround restore --yes wardround-backup.db');
    await start();
    expect(await admins()).toEqual([first]);
  });
});
