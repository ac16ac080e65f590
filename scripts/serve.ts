// What `npm start` becomes when all is built: this process is the server, with no compiler in its memory.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Settings } from '../src/lib/config.ts';
import { readEnvironment } from '../src/lib/environment.ts';
import { hostAndPort } from '../src/lib/facts/host-words.ts';
import { settingsOrExit } from './settings-or-exit.ts';

/** Serves what lies in `folder`, with the environment as it is and `.env` below it. */
export async function serve(folder: string): Promise<void> {
  Object.assign(process.env, readEnvironment());
  // Without it, the real server would not be known from one under development.
  process.env.NODE_ENV ??= 'production';
  const { listen, origin } = settingsOrExit(process.env);
  process.env.HOST = listen.host;
  process.env.PORT = String(listen.port);
  // Without it SvelteKit takes every address for https, and refuses each form that a browser posts over plain http.
  process.env.ORIGIN = origin;
  await assertPortIsFree(listen);
  await import(/* @vite-ignore */ pathToFileURL(resolve(folder, 'index.js')).href);
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
