import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { defineConfig } from 'drizzle-kit';
import { parseSettings } from './src/lib/config.ts';
import { readEnvironment } from './src/lib/environment.ts';

const { databasePath: url } = parseSettings(readEnvironment());
// What "npm run db:push" makes is for this user only; what "db:generate" writes belongs to the project.
if (process.argv.includes('push')) process.umask(0o077);
// drizzle-kit makes the file, but not its folder.
mkdirSync(dirname(url), { recursive: true, mode: 0o700 });

export default defineConfig({
  dialect: 'sqlite',
  schema: './src/lib/db/schema.ts',
  out: './drizzle',
  dbCredentials: { url },
});
