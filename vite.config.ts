import { sveltekit } from '@sveltejs/kit/vite';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vitest/config';
import { NATIVE_PACKAGES } from './scripts/native-packages.ts';

/** Tests of deadlines, of kills at a given moment, and the one that makes the build look stale. */
const SENSITIVE = ['dev', 'hostile-peers', 'kill', 'monitor', 'ssh-exec'].map((name) => `tests/${name}.test.ts`);
const DRIZZLE = ['', '/sqlite-core', '/better-sqlite3', '/better-sqlite3/migrator'].map((part) => `drizzle-orm${part}`);
const acrossRooms = { globalSetup: 'scripts/build-before-tests.ts', testTimeout: 60_000, hookTimeout: 120_000 };

export default defineConfig(({ command }) => ({
  plugins: [tailwindcss(), sveltekit()],
  // No `.env` for a build, which may write what it sees into its output: the program reads that file itself.
  envDir: false,
  // A bundled package is loaded at once, in one piece; in development and tests they come from node_modules.
  ...(command === 'build' ? { ssr: { noExternal: true, external: NATIVE_PACKAGES } } : {}),
  test: {
    // Patience, not a promise: what has to happen within a time says so itself.
    expect: { poll: { timeout: 15_000 } },
    silent: 'passed-only',
    // Each test file would load drizzle-orm anew, file by file: half a second of processor time.
    deps: { optimizer: { ssr: { enabled: true, include: DRIZZLE } } },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'cli/**/*.test.ts', 'demo/**/*.test.ts', 'lint/**/*.test.ts'],
          // Tests of accounts hash real passwords, which is slow on purpose.
          testTimeout: 20_000,
        },
      },
      {
        extends: true,
        test: {
          ...acrossRooms,
          name: 'integration',
          include: ['tests/**/*.test.ts'],
          exclude: ['tests/browser/**', 'tests/rig/**', ...SENSITIVE],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          ...acrossRooms,
          name: 'alone',
          include: SENSITIVE,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
}));
