import { ensureBuilt } from './built.js';

/** Vitest's and Playwright's global setup: once, before files that run side by side would each wait for it. */
export default async function buildBeforeTests(): Promise<void> {
  await ensureBuilt('server', 'commands');
}
