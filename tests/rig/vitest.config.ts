import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

/** `npm run test:rig`: on real machines, which take root, Linux and two minutes to prepare; no part of `npm test`. */
export default defineConfig({
  test: {
    root: resolve(import.meta.dirname, '../..'),
    include: ['tests/rig/**/*.test.ts'],
    globalSetup: ['scripts/build-before-tests.ts', 'tests/rig/setup.ts'],
    fileParallelism: false,
    expect: { poll: { timeout: 60_000, interval: 100 } },
    testTimeout: 600_000,
    hookTimeout: 300_000,
  },
});
