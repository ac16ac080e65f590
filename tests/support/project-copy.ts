import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_DIR } from './project.ts';

/** What `wardround` is run and built from. */
const OF_COMMANDS = ['cli', 'drizzle', 'scripts', 'src/lib', 'package.json', 'package-lock.json'];
/** The same for `npm start`. */
const OF_ALL = [...OF_COMMANDS, 'src', 'static', 'svelte.config.js', 'vite.config.ts', 'tsconfig.json'];

/** A copy of the project that can be edited and built without disturbing other tests; packages are those of the project. */
export function copyProject(folder: string, { server }: { readonly server: boolean }): string {
  const project = join(folder, 'project');
  for (const name of server ? OF_ALL : OF_COMMANDS)
    cpSync(join(PROJECT_DIR, name), join(project, name), { recursive: true, preserveTimestamps: true });
  mkdirSync(join(project, 'data'));
  symlinkSync(join(PROJECT_DIR, 'node_modules'), join(project, 'node_modules'));
  return project;
}
