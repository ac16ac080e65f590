// `npm start`: builds if need be, and then is the server. Plain JavaScript: whoever compiles stays in memory for good.
import { createRequire } from 'node:module';
import { ensureBuilt, PROJECT_DIR } from './built.js';

process.chdir(PROJECT_DIR);
const { server, commands } = await ensureBuilt('server', 'commands');
const { serve } = createRequire(import.meta.url)(`${commands}/serve.cjs`);
await serve(server);
