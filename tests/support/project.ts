import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const PROJECT_DIR = join(import.meta.dirname, '../..');

/** A folder of its own for database and key, and the environment that points there. */
export function scratchEnvironment(more: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'wardround-'));
  const environment: Record<string, string> = {
    PATH: process.env.PATH ?? '',
    HOME: process.env.HOME ?? folder,
    NODE_ENV: 'production',
    DATABASE_URL: join(folder, 'wardround.db'),
    ENCRYPTION_KEY_FILE: join(folder, 'encryption.key'),
    // Every host of a test is on loopback.
    ALLOWED_ADDRESSES: 'any',
    PORT: '0',
    ...more,
  };
  return { folder, environment, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export type CliResult = { readonly exitCode: number; readonly stdout: string; readonly stderr: string };

/** Runs `wardround …` as a person would, from the project folder. */
export const runCli = (environment: Record<string, string>, ...args: string[]): Promise<CliResult> =>
  runCliWith('', environment, ...args);

/** The same, with something on standard input. */
export const runCliWith = (input: string, environment: Record<string, string>, ...args: string[]): Promise<CliResult> =>
  runNode(['cli/wardround.js', ...args], { environment, input });

/** Runs a script with this Node to its end, from the project folder or another one. */
export const runNode = (
  args: string[],
  {
    environment,
    input = '',
    folder = PROJECT_DIR,
  }: { environment: Record<string, string>; input?: string; folder?: string },
): Promise<CliResult> =>
  new Promise((resolve) => {
    const child = execFile(process.execPath, args, { cwd: folder, env: environment }, (error, stdout, stderr) =>
      resolve({ exitCode: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr }),
    );
    child.stdin?.end(input);
  });

export type RunningProcess = {
  readonly process: ChildProcess;
  /** Everything it has printed so far, both streams. */
  output(): string;
  /** Resolves with the first line that matches, printed before or after the call. */
  line(pattern: RegExp): Promise<string>;
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals | null>;
};

export function startProcess(
  command: string,
  args: string[],
  environment: Record<string, string>,
  folder = PROJECT_DIR,
): RunningProcess {
  const child = spawn(command, args, { cwd: folder, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  const waiting = new Set<{ pattern: RegExp; resolve: (line: string) => void; reject: (error: Error) => void }>();
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      for (const waiter of waiting)
        if (waiter.pattern.test(line)) {
          waiting.delete(waiter);
          waiter.resolve(line);
        }
    });
  const exited = once(child, 'exit').then(
    ([code, signal]: (number | NodeJS.Signals | null)[]) => code ?? signal ?? null,
  );
  void exited.then(() => {
    for (const { pattern, reject } of waiting)
      reject(new Error(`ended without printing ${pattern}:\n${lines.join('\n')}`));
  });
  return {
    process: child,
    output: () => lines.join('\n'),
    line: (pattern) => {
      const printed = lines.find((line) => pattern.test(line));
      return printed === undefined
        ? new Promise((resolve, reject) => waiting.add({ pattern, resolve, reject }))
        : Promise.resolve(printed);
    },
    exited,
  };
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await once(probe.listen(0, '127.0.0.1'), 'listening');
  const address = probe.address();
  await once(probe.close(), 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** The built server (see `npm start`), up and listening, where browsers can post forms to it. */
export async function startServer(
  environment: Record<string, string>,
  folder = PROJECT_DIR,
): Promise<RunningProcess & { readonly url: string }> {
  const port = environment.PORT === '0' ? await freePort() : Number(environment.PORT);
  const given = { ORIGIN: `http://127.0.0.1:${port}`, ...environment, PORT: String(port) };
  const server = startProcess(process.execPath, ['scripts/start.js'], given, folder);
  const line = await server.line(/^Listening on/);
  return { ...server, url: line.replace('Listening on ', '') };
}

export async function endWith(
  running: RunningProcess,
  signal: NodeJS.Signals,
): Promise<number | NodeJS.Signals | null> {
  running.process.kill(signal);
  return running.exited;
}
