import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAdmin, signIn } from './support/accounts.ts';
import { openEventStream } from './support/event-stream.ts';
import {
  endWith,
  freePort,
  PROJECT_DIR,
  scratchEnvironment,
  startProcess,
  startServer,
  type RunningProcess,
} from './support/project.ts';

const read = (path: string): string => readFileSync(join(PROJECT_DIR, path), 'utf8');
const isThere = (program: string, ...args: string[]): boolean => spawnSync(program, args).status === 0;

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
/** As somebody who owns nothing. */
const asNobody = (command: readonly string[]): readonly string[] =>
  isRoot ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', ...command] : command;

/** What stands in the last part of the Dockerfile, its continued lines as one. */
const LAST_STAGE =
  read('ops/docker/Dockerfile')
    .replaceAll('\\\n', ' ')
    .split(/^FROM /m)
    .at(-1)
    ?.split('\n') ?? [];
const linesOf = (instruction: string): string[] =>
  LAST_STAGE.filter((line) => line.startsWith(`${instruction} `)).map((line) => line.slice(instruction.length + 1));

/** Copies into `image` what the Dockerfile does, of what this project has built already. */
function copyAsImage(image: string): void {
  for (const line of linesOf('COPY --from=build')) {
    const paths = line.split(/\s+/);
    const into = paths.pop() ?? '';
    for (const path of paths) {
      const source = join(PROJECT_DIR, path.replace('/app/', ''));
      const target = join(image, into, into.endsWith('/') ? basename(source) : '');
      cpSync(source, target, { recursive: true, dereference: true, preserveTimestamps: true });
    }
  }
}

const describeAll = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => `${path} ${statSync(join(folder, path)).mtimeMs}`)
    .toSorted();

describe('the image of ops/docker', () => {
  const scratch = scratchEnvironment();
  const [image, data] = [join(scratch.folder, 'app'), join(scratch.folder, 'data')];
  const node = join(scratch.folder, 'node');
  let environment: Record<string, string>;
  let server: RunningProcess;
  let before: string[];

  beforeAll(async () => {
    copyAsImage(image);
    copyFileSync(process.execPath, node);
    chmodSync(scratch.folder, 0o755);
    mkdirSync(data);
    if (isRoot) chownSync(data, NOBODY, NOBODY);
    const port = await freePort();
    const given = linesOf('ENV').join(' ').replaceAll('/data', data).replace('${BASE_PATH}', '');
    environment = {
      PATH: process.env.PATH ?? '',
      ...Object.fromEntries(given.split(/\s+/).map((pair) => pair.split('=') as [string, string])),
      HOST: '127.0.0.1',
      PORT: String(port),
      LOG_FORMAT: 'json',
    };
    before = describeAll(image);
    const [command = '', ...args] = asNobody([node, 'scripts/start.js']);
    server = startProcess(command, args, environment, image);
    await server.line(/Listening on/);
  });
  afterAll(async () => {
    await endWith(server, 'SIGKILL');
    scratch.remove();
  });
  const run = (...command: readonly string[]) => {
    const [program = '', ...args] = asNobody(command);
    return spawnSync(program, args, { cwd: image, env: environment, encoding: 'utf8' });
  };

  it('has all that the server needs, for a user who may write to its data alone', async () => {
    const url = `http://127.0.0.1:${environment.PORT}`;
    expect(await (await fetch(`${url}/readyz`)).text()).toBe('leading\n');
    expect((await fetch(`${url}/sign-in`)).status).toBe(200);
    expect(readdirSync(data)).toEqual(expect.arrayContaining(['encryption.key', 'wardround.db']));
  });

  it('has all that the command line needs', () => {
    const { status, stdout, stderr } = run(node, 'cli/wardround.js', 'doctor', '--json');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect((JSON.parse(stdout) as { checks: object[] }).checks).toContainEqual(
      expect.objectContaining({ name: 'database', verdict: 'ok' }),
    );
  });

  it('says whether it is healthy', () => {
    const [, command = '[]'] = /CMD (\[.*\])$/.exec(linesOf('HEALTHCHECK').join('')) ?? [];
    const [, ...args] = JSON.parse(command) as string[];
    const healthy = run(node, ...args);
    expect({ status: healthy.status, said: healthy.stderr }).toEqual({ status: 0, said: '' });
    const [program = '', ...rest] = asNobody([node, ...args]);
    expect(spawnSync(program, rest, { env: { ...environment, PORT: '1' } }).status).toBe(1);
  });

  it('writes nothing beside its data, and ends at SIGTERM', async () => {
    expect(describeAll(image)).toEqual(before);
    expect(await endWith(server, 'SIGTERM')).toBe(0);
  });
});

describe('the unit of ops/systemd', () => {
  const UNIT = join(PROJECT_DIR, 'ops/systemd/wardround.service');
  it.skipIf(!isThere('systemd-analyze', 'security', '--help'))('gives next to nothing away', () => {
    const { status, stdout } = spawnSync('systemd-analyze', ['security', '--offline=true', '--threshold=15', UNIT], {
      encoding: 'utf8',
    });
    expect({ status, said: stdout.trim().split('\n').at(-1) }).toEqual({
      status: 0,
      said: expect.stringContaining('exposure level'),
    });
  });
});

/** Starts a proxy with a configuration of ops/ that listens here, in plain HTTP, and passes to `port`. */
const PROXIES = {
  nginx: {
    isHere: isThere('nginx', '-v'),
    start: (folder: string, port: number, to: string): RunningProcess => {
      const site = read('ops/nginx/wardround.conf')
        .replace('listen 443 ssl;', `listen 127.0.0.1:${port};`)
        .replaceAll(/^.*(?:listen \[::\]|listen 80|ssl_certificate).*$/gm, '')
        .replace('http://127.0.0.1:3000', to)
        // Of the server that leads on to https.
        .replace('return 308', 'listen unix:nginx.socket; return 308');
      const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((one) => `${one}_temp_path ${one};`);
      writeFileSync(
        join(folder, 'nginx.conf'),
        `daemon off; pid nginx.pid; error_log stderr notice; events {} http { access_log off; ${places.join(' ')} ${site} }`,
      );
      return startProcess('nginx', ['-p', folder, '-c', 'nginx.conf'], { PATH: process.env.PATH ?? '' }, folder);
    },
    up: /start worker process/,
  },
  caddy: {
    isHere: isThere('caddy', 'version'),
    start: (folder: string, port: number, to: string): RunningProcess => {
      const site = read('ops/caddy/Caddyfile')
        .replace('wardround.example {', `http://127.0.0.1:${port} {`)
        .replace('127.0.0.1:3000\n}', `${to.replace('http://', '')}\n}`);
      writeFileSync(join(folder, 'Caddyfile'), `{\n\tadmin off\n}\n${site}`);
      const args = ['run', '--config', 'Caddyfile', '--adapter', 'caddyfile'];
      return startProcess('caddy', args, { PATH: process.env.PATH ?? '', HOME: folder }, folder);
    },
    up: /serving initial configuration/,
  },
} as const;

describe.each(Object.entries(PROXIES))('the example for %s', (_, { isHere, start, up }) => {
  it.skipIf(!isHere)('passes pages, forms and the stream of events, and no metrics', async () => {
    const scratch = scratchEnvironment({ HEALTH_CHECK_CRON: '* * * * * *', ADDRESS_HEADER: 'X-Forwarded-For' });
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const server = await startServer({ ...scratch.environment, ORIGIN: url });
    const proxy = start(scratch.folder, port, server.url);
    try {
      await proxy.line(up);
      await createAdmin(scratch.environment);
      const cookie = await signIn(url);
      const stream = await openEventStream(url, cookie);
      expect(stream.response.status).toBe(200);
      // Each event comes by itself: the stream has no end that would bring them all.
      await expect.poll(() => stream.events().length, { timeout: 30_000 }).toBeGreaterThan(3);
      stream.close();
      expect((await fetch(`${url}/metrics`)).status).toBe(404);
    } finally {
      await endWith(proxy, 'SIGKILL');
      await endWith(server, 'SIGKILL');
      scratch.remove();
    }
  });
});
