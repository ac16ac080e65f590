import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Enough threads for all names that are looked up at once. The rest of the environment may hold secrets. */
const ENVIRONMENT = { UV_THREADPOOL_SIZE: '8' };

/**
 * What a program of Node's own parts prints in a process of its own, line by line, until it is killed at the deadline:
 * nothing else ends a look-up of a name, or SQLite in the middle of a table, and who asks can go on meanwhile. The program
 * finds `given` on its standard input, as JSON: arguments can be read by everybody on this machine.
 */
export async function linesApart(program: string, given: unknown, deadline: AbortSignal): Promise<string[]> {
  const running = promisify(execFile)(process.execPath, ['--no-warnings', '--eval', program], {
    env: ENVIRONMENT,
    signal: deadline,
    killSignal: 'SIGKILL',
  });
  running.child.stdin?.on('error', () => undefined).end(JSON.stringify(given));
  // What it has printed until then is on the error, too.
  const { stdout } = await running.catch((error: unknown) => error as { readonly stdout?: string });
  return (stdout ?? '').split('\n').filter((line) => line !== '');
}
