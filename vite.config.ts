import { sveltekit } from '@sveltejs/kit/vite';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vitest/config';

/** Tests of deadlines, of kills at a given moment, and the one that makes the build look stale. */
const SENSITIVE = ['dev', 'kill', 'monitor', 'ssh-exec'].map((name) => `tests/${name}.test.ts`);
const acrossRooms = { globalSetup: 'scripts/build-before-tests.ts', testTimeout: 60_000, hookTimeout: 120_000 };

export default defineConfig({
  plugins: [tailwindcss(), sveltekit()],
  test: {
    // Patience, not a promise: what has to happen within a time says so itself.
    expect: { poll: { timeout: 15_000 } },
    silent: 'passed-only',
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
          exclude: ['tests/browser/**', ...SENSITIVE],
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
});
