import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { ADMIN, cookieOf, createAdmin, PASSWORD, post } from './support/accounts.ts';
import { crawl } from './support/crawl.ts';
import { openEventStream } from './support/event-stream.ts';
import { addAll, makeLogin, startVps } from './support/fleet.ts';
import {
  PROJECT_DIR,
  runNode,
  scratchEnvironment,
  startProcess,
  startServer,
  type CliResult,
  type RunningProcess,
} from './support/project.ts';
import { copyProject } from './support/project-copy.ts';

const BUILDING = 'Building the command line';
/** With it, Node refuses every file that it would have to compile. */
const NO_TYPESCRIPT = { NODE_OPTIONS: '--no-experimental-strip-types' };

let scratch: ReturnType<typeof scratchEnvironment>;
let project: string;
const processes: RunningProcess[] = [];

const SITE = '/below/here';

/** That a server below a path has nothing outside of it: links, forms, files, redirects, cookies, streams. */
async function expectSite(
  server: RunningProcess & { readonly url: string },
  environment: Record<string, string>,
): Promise<void> {
  const { origin } = new URL(server.url);
  const site = origin + SITE;
  expect(await server.line(/become it, within 24 hours/)).toContain(`${site}/welcome?token=`);
  const env = { ...environment, BASE_PATH: SITE };
  await createAdmin(env);
  const login = makeLogin(scratch.folder);
  const vps = await startVps(login.publicKey);
  onTestFinished(() => vps.host.close());
  const [id = ''] = await addAll(env, login.keyFile, [vps]);

  const signedIn = await post(`${site}/sign-in?next=%2Fincidents`, { email: ADMIN, password: PASSWORD });
  expect(signedIn.headers.get('location')).toBe(`${SITE}/incidents`);
  for (const cookie of signedIn.headers.getSetCookie()) expect(cookie).toContain(`Path=${SITE};`);
  const cookie = cookieOf(signedIn);
  const { pages, broken } = await crawl(`${site}/`, cookie);
  expect(broken).toEqual([]);
  for (const place of ['/', '/incidents', '/settings', '/settings/users', '/account', `/vps/${id}`, `/vps/${id}/edit`])
    expect([...pages.keys()]).toContain(site + place);
  expect(pages.get(`${site}/`)).toMatch(/aria-current="page"[^>]*>Fleet</);

  const stranger = await crawl(`${site}/`, '');
  expect(stranger.broken).toEqual([]);
  const asked = await fetch(`${site}/incidents`, { redirect: 'manual', headers: { accept: 'text/html' } });
  expect(asked.headers.get('location')).toBe(`${SITE}/sign-in?next=%2Fincidents`);
  const theme = { cookie, referer: `${site}/settings` };
  expect((await post(`${site}/theme`, { theme: 'dark' }, theme)).headers.get('location')).toBe(`${SITE}/settings`);
  const refused = await fetch(`${site}/vps/none`, { headers: { cookie, accept: 'text/html' } });
  expect(refused.status).toBe(404);
  expect(await refused.text()).not.toMatch(/(?:href|src)="\/(?!below\/here)/);
  expect((await fetch(`${site}/healthz`)).status).toBe(200);
  expect((await fetch(`${origin}/healthz`)).status).toBe(404);
  const stream = await openEventStream(site, cookie);
  expect(stream.response.headers.get('content-type')).toBe('text/event-stream');
  stream.close();
}

beforeEach(() => {
  scratch = scratchEnvironment();
});
afterEach(async () => {
  for (const one of processes.splice(0)) {
    one.process.kill('SIGKILL');
    await one.exited;
  }
  scratch.remove();
});

const wardround = (...args: string[]): Promise<CliResult> =>
  runNode(['cli/wardround.js', ...args], { environment: scratch.environment, folder: project });
const builds = (): string[] => readdirSync(join(project, 'dist')).filter((name) => /^\d+$/.test(name));

describe('the command line', () => {
  beforeEach(() => {
    project = copyProject(scratch.folder, { server: false });
  });

  it('is built at its first call, which says so on stderr alone, and not again', async () => {
    const first = await wardround('keygen', '--json');
    expect(first.exitCode).toBe(0);
    expect(JSON.parse(first.stdout)).toHaveProperty('encryptionKey');
    expect(first.stderr).toContain(BUILDING);
    expect(await wardround('keygen')).toMatchObject({ exitCode: 0, stderr: '' });
  });

  it('is built again when a source was edited, added, removed, or is an older one again, and for nothing else', async () => {
    await wardround('keygen');
    const [main, added] = [join(project, 'cli/main.ts'), join(project, 'src/lib/added.ts')];
    // The last two are not what was touched last.
    const changes: Record<string, () => void> = {
      added: () => writeFileSync(added, ''),
      edited: () => writeFileSync(main, readFileSync(main, 'utf8').replace('Watches a fleet', 'Guards a fleet')),
      removed: () => rmSync(added),
      'an older one': () => utimesSync(join(project, 'cli/keygen.ts'), new Date(0), new Date(0)),
    };
    for (const [change, make] of Object.entries(changes)) {
      make();
      const { exitCode, stdout, stderr } = await wardround('--help');
      expect({ change, exitCode, built: stderr.includes(BUILDING) }).toEqual({ change, exitCode: 0, built: true });
      expect(stdout).toContain(change === 'added' ? 'Watches a fleet' : 'Guards a fleet');
    }
    writeFileSync(join(project, 'src/lib/added.test.ts'), '');
    symlinkSync('nowhere', join(project, 'src/lib/.#main.ts'));
    expect(await wardround('--version')).toMatchObject({ exitCode: 0, stderr: '' });
  });

  it('is built once when several calls find it missing, and they all go on with that', async () => {
    const calls = await Promise.all([1, 2, 3].map(() => wardround('keygen', '--json')));
    for (const { exitCode, stdout } of calls) {
      expect(exitCode).toBe(0);
      expect(JSON.parse(stdout)).toHaveProperty('encryptionKey');
    }
    expect(calls.filter(({ stderr }) => stderr.includes(BUILDING))).toHaveLength(1);
    expect(builds()).toHaveLength(1);
  });

  it('is built by the next call when a build was killed', async () => {
    const build = startProcess(process.execPath, ['scripts/build.ts', 'commands'], scratch.environment, project);
    processes.push(build);
    await build.line(new RegExp(BUILDING));
    build.process.kill('SIGKILL');
    await build.exited;
    const { exitCode, stderr } = await wardround('keygen');
    expect(exitCode).toBe(0);
    expect(stderr).toContain(BUILDING);
    expect(stderr).not.toContain('Another process');
  });

  it('keeps the build before for the calls that are running, and no older ones', async () => {
    await wardround('keygen');
    const [oldest = ''] = builds();
    for (const keptOldest of [true, false]) {
      appendFileSync(join(project, 'cli/main.ts'), '\n');
      await wardround('keygen');
      expect(builds()).toHaveLength(2);
      expect(builds().includes(oldest)).toBe(keptOldest);
    }
  });

  it('goes on with what is built where Vite is not installed, and says what to do where nothing is', async () => {
    const packages = join(project, 'node_modules');
    rmSync(packages);
    mkdirSync(packages);
    for (const name of readdirSync(join(PROJECT_DIR, 'node_modules')))
      if (name !== 'vite') symlinkSync(join(PROJECT_DIR, 'node_modules', name), join(packages, name));
    const missing = await wardround('--version');
    expect(missing).toMatchObject({ exitCode: 1, stdout: '' });
    expect(missing.stderr).toContain('Run "npm ci" first');
    symlinkSync(join(PROJECT_DIR, 'node_modules/vite'), join(packages, 'vite'));
    await wardround('--version');
    rmSync(join(packages, 'vite'));
    appendFileSync(join(project, 'cli/main.ts'), '\n');
    const { exitCode, stderr } = await wardround('--version');
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/differs from its sources and stays as it is: Vite is not installed/);
  });
});

describe('npm start', () => {
  it('builds for its path, with nothing else in sight, starts no monitor meanwhile, and opens no database', async () => {
    project = copyProject(scratch.folder, { server: true });
    const secret = 'a secret that no build may see';
    writeFileSync(
      join(project, '.env'),
      `SECRET_OF_THE_FILE="${secret}"\nVITE_SECRET_OF_THE_FILE="${secret}"\nBASE_PATH=${SITE}\n`,
    );
    const page = join(project, 'src/routes/rendered');
    mkdirSync(page);
    writeFileSync(join(page, '+page.svelte'), '<h1>Rendered</h1>\n');
    // Runs in the build: tells what it could have written into its output.
    writeFileSync(
      join(page, '+page.server.ts'),
      `import { existsSync, writeFileSync } from 'node:fs';
       import * as builtIn from '$env/static/private';
       export const prerender = true;
       export const load = () => {
         const database = existsSync(${JSON.stringify(scratch.environment.DATABASE_URL)});
         writeFileSync('seen.json', JSON.stringify({ database, environment: process.env, builtIn, replaced: import.meta.env }));
       };`,
    );
    const environment = { ...scratch.environment, ENABLE_HEALTH_MONITOR: 'true', SECRET_OF_THE_SHELL: secret };
    const server = await startServer(environment, project);
    processes.push(server);
    expect(existsSync(join(project, 'build/prerendered', SITE, 'rendered.html'))).toBe(true);
    const seen = readFileSync(join(project, 'seen.json'), 'utf8');
    expect(JSON.parse(seen)).toMatchObject({ database: false, environment: { NODE_ENV: 'production' } });
    for (const hidden of [secret, 'SECRET_OF_THE', 'DATABASE_URL']) expect(seen).not.toContain(hidden);
    const [whileBuilding] = server.output().split('[wardround]');
    expect(whileBuilding).toContain('Building the server');
    expect(whileBuilding).not.toContain('[health-checker]');
    // The server itself has its settings.
    expect(server.output()).toContain('health monitor started');
    await expectSite(server, environment);
  }, 300_000);

  it('is the server itself: no other process beside it, and nothing in it that compiles', async () => {
    const server = await startServer({ ...scratch.environment, ...NO_TYPESCRIPT });
    processes.push(server);
    const { pid = 0 } = server.process;
    expect(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')).toBe('');
    expect(readFileSync(`/proc/${pid}/maps`, 'utf8')).not.toMatch(/rolldown|esbuild|typescript/);
  });
});

describe('the built command line', () => {
  it('needs no Node that can read TypeScript', async () => {
    await createAdmin(scratch.environment);
    const environment = { ...scratch.environment, ...NO_TYPESCRIPT };
    expect(await runNode(['cli/wardround.js', 'vps', 'list', '--json'], { environment })).toMatchObject({
      exitCode: 0,
      stdout: '[]\n',
    });
  });

  // What makes a command slow, instead of how slow it is: `npm run bench -- cli` measures that.
  it.each([
    ['--version', 250],
    ['vps --help', 900],
    ['vps list', 900],
  ])(
    'loads for "%s" at most %i KB of JavaScript, neither SSH nor a library of dates, and asks for no locale',
    async (command, limitKb) => {
      const report = join(scratch.folder, 'loaded.json');
      const preload = join(scratch.folder, 'preload.cjs');
      writeFileSync(
        preload,
        `let locales = 0;
       for (const name of ['DateTimeFormat', 'NumberFormat', 'Collator', 'Segmenter', 'PluralRules'])
         Intl[name] = new Proxy(Intl[name], {
           apply: (target, self, args) => (locales++, target(...args)),
           construct: (target, args) => (locales++, new target(...args)),
         });
       process.on('exit', () => {
         const files = Object.keys(require('node:module')._cache).filter((file) => file.endsWith('js'));
         require('node:fs').writeFileSync(${JSON.stringify(report)}, JSON.stringify({ locales, files }));
       });`,
      );
      await createAdmin(scratch.environment);
      const schedule = { HEALTH_CHECK_CRON: '7 3 * * 1' };
      const environment = { ...scratch.environment, ...schedule, NODE_OPTIONS: `--require ${preload}` };
      expect((await runNode(['cli/wardround.js', ...command.split(' ')], { environment })).exitCode).toBe(0);
      const { locales, files } = JSON.parse(readFileSync(report, 'utf8')) as { locales: number; files: string[] };
      expect(locales).toBe(0);
      expect(files.filter((file) => /[\\/](?:ssh2|luxon)[\\/]/.test(file))).toEqual([]);
      expect(files.reduce((sum, file) => sum + statSync(file).size, 0) / 1024).toBeLessThan(limitKb);
    },
  );
});
