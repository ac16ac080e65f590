import { statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endWith, PROJECT_DIR, scratchEnvironment, startProcess } from './support/project.ts';

const VITE = join(PROJECT_DIR, 'node_modules/vite/bin/vite.js');
const HOOKS = join(PROJECT_DIR, 'src/hooks.server.ts');
const RELOADS = 10;

let scratch: ReturnType<typeof scratchEnvironment>;
beforeEach(() => {
  scratch = scratchEnvironment({
    ENABLE_HEALTH_MONITOR: 'true',
    NODE_ENV: 'development',
    HEALTH_CHECK_CRON: '* * * * * *',
  });
});
afterEach(() => scratch.remove());

describe('in development', () => {
  it(`the monitor starts at the first request, and ${RELOADS} hot reloads leave one scheduler`, async () => {
    const dev = startProcess(
      process.execPath,
      [VITE, 'dev', '--port', '0', '--host', '127.0.0.1'],
      scratch.environment,
    );
    const { atime, mtime } = statSync(HOOKS);
    try {
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(await dev.line(/Local:.*http/))?.[0] ?? '';
      expect((await fetch(url)).status).toBe(200);
      await dev.line(/health monitor started/);
      const reloads = (): number => dev.output().match(/page reload src\/hooks\.server\.ts/g)?.length ?? 0;
      for (let reload = 1; reload <= RELOADS; reload++) {
        utimesSync(HOOKS, new Date(), new Date());
        await expect.poll(reloads, { timeout: 10_000 }).toBeGreaterThanOrEqual(reload);
        expect((await fetch(url)).status).toBe(200);
      }
      expect(dev.output().match(/health monitor started/g)).toHaveLength(1);
      expect(await endWith(dev, 'SIGTERM')).toBe(0);
      expect(dev.output()).toContain('health monitor stopped');
    } finally {
      dev.process.kill('SIGKILL');
      // A source of another time would make the next start build again.
      utimesSync(HOOKS, atime, mtime);
    }
  });
});
