import { defineConfig } from 'drizzle-kit';
import { databasePath, readEnvironment } from './src/lib/config.ts';

export default defineConfig({
  dialect: 'sqlite',
  schema: './src/lib/db/schema.ts',
  out: './drizzle',
  dbCredentials: { url: databasePath(readEnvironment()) },
});
