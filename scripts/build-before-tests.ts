import { buildIfStale } from './build.ts';

/** Vitest's and Playwright's global setup: once, before files that run side by side would each do it. */
export default buildIfStale;
