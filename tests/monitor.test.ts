import { ne } from 'drizzle-orm';
import { afterEach, describe, expect, it } from 'vitest';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { openApp, type App } from '../src/lib/app.ts';
import { leases } from '../src/lib/db/schema.ts';
import {
  monitorStatus,
  runHealthSweep,
  startHealthMonitor,
  stopHealthMonitor,
} from '../src/lib/monitoring/health-checker.ts';
import { listVps } from '../src/lib/views/fleet-read.ts';
import { addAll, makeLogin, startVps, type SimulatedVps } from './support/fleet.ts';
import { scratchEnvironment } from './support/project.ts';

const EVERY_SECOND = '* * * * * *';
let scratch: ReturnType<typeof scratchEnvironment>;
let app: App;
const running: SimulatedVps[] = [];

async function start(
  settings: Record<string, string>,
  ...vpss: [Parameters<typeof startVps>[1], number?][]
): Promise<void> {
  scratch = scratchEnvironment({ HEALTH_CHECK_CRON: EVERY_SECOND, RESTART_SETTLE_MS: '50', ...settings });
  const login = makeLogin(scratch.folder);
  for (const [behaviour, latencyMs] of vpss) running.push(await startVps(login.publicKey, behaviour, latencyMs));
  await addAll(scratch.environment, login.keyFile, running);
  app = await openApp(scratch.environment, 'server');
  expect(monitorStatus(app).role).toBe('off');
}
afterEach(async () => {
  await stopHealthMonitor(app);
  app.close();
  for (const { host } of running.splice(0)) await host.close();
  scratch.remove();
});

const holders = () => app.db.select().from(leases).where(ne(leases.holder, '')).all();
const totalChecks = (): number => listVps(app, LOCAL_OPERATOR, new Date())[0]?.totalChecks ?? 0;
const probes = (): number => running[0]?.commands.filter((command) => command.includes('is-active')).length ?? 0;
const reaches = (read: () => number, least: number): Promise<void> =>
  expect.poll(read, { timeout: 15_000, interval: 20 }).toBeGreaterThanOrEqual(least);

describe('the monitor', () => {
  it('sweeps on schedule, once a tick however often it is started, and not at all after its stop', async () => {
    await start({}, [{}]);
    for (let times = 0; times < 10; times++) await startHealthMonitor(app);
    expect(monitorStatus(app)).toMatchObject({ role: 'sweeping', nextSweepAt: expect.any(Date) });
    const startedAt = Date.now();
    await reaches(totalChecks, 3);
    // Ten schedulers would have looked ten times a second.
    expect(probes()).toBeLessThanOrEqual((Date.now() - startedAt) / 1000 + 2);
    await stopHealthMonitor(app);
    expect(monitorStatus(app).role).toBe('off');
    expect(holders()).toEqual([]);
    const after = probes();
    await startHealthMonitor(app);
    await reaches(totalChecks, 4);
    expect(probes()).toBeGreaterThan(after);
  });

  it('skips, counts and shows a sweep that is due while the one before still runs', async () => {
    await start({}, [{}, 2_500]);
    await startHealthMonitor(app);
    await reaches(() => monitorStatus(app).progress?.total ?? 0, 1);
    expect(monitorStatus(app).progress).toEqual({ done: 0, total: 1 });
    await reaches(() => monitorStatus(app).skippedSweeps, 2);
    expect(probes()).toBe(1);
    await reaches(totalChecks, 1);
  });

  it('gives up looks at once when it is stopped, and records nothing for them', async () => {
    await start({ SSH_CONNECT_TIMEOUT_MS: '60000' }, [{ network: 'hangs' }]);
    await startHealthMonitor(app);
    await reaches(() => monitorStatus(app).progress?.total ?? 0, 1);
    await stopHealthMonitor(app);
    expect(totalChecks()).toBe(0);
    expect(holders()).toEqual([]);
  });

  it('sees a restart through when it is stopped in the middle, and records it', async () => {
    await start({ RESTART_SETTLE_MS: '1500' }, [{ unit: 'failed' }]);
    await startHealthMonitor(app);
    await reaches(() => running[0]?.commands.filter((command) => command.includes('restart')).length ?? 0, 1);
    await stopHealthMonitor(app);
    expect(listVps(app, LOCAL_OPERATOR, new Date())[0]).toMatchObject({ totalRecoveries: 1, totalChecks: 1 });
  });

  it('is not disturbed by a sweep from elsewhere in the same process, nor disturbs it', async () => {
    await start({}, [{}, 300]);
    const [first, second] = await Promise.all([runHealthSweep(app), runHealthSweep(app)]);
    expect([first.kind, second.kind]).toEqual(['completed', 'busy']);
    expect(totalChecks()).toBe(1);
  });
});
