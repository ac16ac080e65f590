// `npm start`: builds if need be, then serves the app and runs the monitor.
import { DEFAULTS, readEnvironment } from '../src/lib/config.ts';
import { buildIfStale, PROJECT_DIR, serve } from './build.ts';

process.chdir(PROJECT_DIR);
Object.assign(process.env, readEnvironment(PROJECT_DIR));
// A build made with NODE_ENV=production in the environment would be the same; a server without it is not the real one.
process.env.NODE_ENV ??= 'production';
process.env.HOST ||= DEFAULTS.HOST;
process.env.PORT ||= DEFAULTS.PORT;
// Without it SvelteKit takes every address for https, and refuses each form that a browser posts over plain http.
process.env.ORIGIN ||= `http://localhost:${process.env.PORT}`;
// Before anything uses libuv's threads, of which there are four by default: password hashes and look-ups of names share
// them, and a look-up that hangs keeps one for as long as it is waited for.
process.env.UV_THREADPOOL_SIZE ||= '32';

buildIfStale();
await serve();
