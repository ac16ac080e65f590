// What `npm start` becomes when all is built: this process is the server, with no compiler in its memory.
import { once } from 'node:events';
import type { Server } from 'node:http';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Settings } from '../src/lib/config.ts';
import { readEnvironment } from '../src/lib/environment.ts';
import { hostAndPort } from '../src/lib/facts/host-words.ts';
import { openFilesLimit } from '../src/lib/provisioning/open-files.ts';
import { boundConnections, connectionLimits } from '../src/lib/runtime/connections.ts';
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
  // Before anything uses libuv's threads, of which there are four by default: password hashes and look-ups of names share
  // them, and a look-up that hangs keeps one for as long as it is waited for.
  process.env.UV_THREADPOOL_SIZE ||= '32';
  await assertPortIsFree(listen);
  const built = (await import(/* @vite-ignore */ pathToFileURL(resolve(folder, 'index.js')).href)) as {
    server: { server: Server };
  };
  // In the same turn as its listen(): nobody has been let in yet.
  const behindProxy = (process.env.ADDRESS_HEADER ?? '') !== '';
  boundConnections(built.server.server, connectionLimits({ openFiles: openFilesLimit(), behindProxy }));
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
