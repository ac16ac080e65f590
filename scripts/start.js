// `npm start`: builds if need be, and then is the server. Plain JavaScript: whoever compiles stays in memory for good.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureBuilt, PROJECT_DIR } from './built.js';

process.chdir(PROJECT_DIR);
const { server, commands } = await ensureBuilt('server', 'commands');
const { serve } = await import(pathToFileURL(join(commands, 'serve.js')).href);
await serve(server);
