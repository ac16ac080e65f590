// `npm start`: builds if need be, then serves the app and runs the monitor.
import { readEnvironment } from '../src/lib/environment.ts';
import { buildIfStale, PROJECT_DIR, serve } from './build.ts';
import { settingsOrExit } from './settings-or-exit.ts';

process.chdir(PROJECT_DIR);
Object.assign(process.env, readEnvironment(PROJECT_DIR));
// A build made with NODE_ENV=production in the environment would be the same; a server without it is not the real one.
process.env.NODE_ENV ??= 'production';
const { listen, origin } = settingsOrExit(process.env);
process.env.HOST = listen.host;
process.env.PORT = String(listen.port);
// Without it SvelteKit takes every address for https, and refuses each form that a browser posts over plain http.
process.env.ORIGIN = origin;

buildIfStale();
await serve(listen);
