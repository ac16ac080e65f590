import type { App } from '../app.ts';
import { createLog, messageOf, type Log } from '../log.ts';
import { LeaseKeeper, type HeldLease } from '../db/lease-keeper.ts';
import { LEASE_RENEWAL_MS, type Tenure } from '../db/lease.ts';
import { subscribe } from '../live/bus.ts';
import { recoverSending } from './outbox-upkeep.ts';
import type { RunningJob } from '../schedule.ts';
import { createSender, type SenderOptions } from './sender.ts';

const LOOK_EVERY_MS = 1_000;

const DEFAULTS: Omit<SenderOptions, 'tenure'> = {
  log: createLog('notifier'),
  nowMs: Date.now,
  random: Math.random,
  timeoutMs: 10_000,
  concurrency: 4,
};

/**
 * Starts sending what waits in the outbox: at once when something of this process is committed, within a second for
 * what others have put in. One process sends; others stand by.
 */
export function startDispatcher(app: App, options: Partial<Omit<SenderOptions, 'tenure'>> = {}): RunningJob {
  const settings = { ...DEFAULTS, ...options };
  const { log, nowMs } = settings;
  const keeper = new LeaseKeeper(app.db, 'notifier', log);
  let held: HeldLease | null = null;
  let stopping: Promise<void> | null = null;
  const tenure = (): Tenure | null => (held === null || held.lost.aborted ? null : held.tenure);
  const sender = createSender(app, { ...settings, tenure });

  /** Whether this process is the one that sends; what the one before it has left in the middle is taken up again. */
  const lead = async (): Promise<void> => {
    if (tenure() !== null) return;
    const taken = await keeper.hold();
    held = 'pid' in taken ? null : taken;
    if (held === null) return;
    const left = await recoverSending(app.db, sender.inFlight(), new Date(nowMs()));
    if (left > 0) log.info(`${left} left in the middle by a process that ended: sent again under the same id`);
  };
  const look = createLoop(log, 'looking into the outbox', async () => {
    if (tenure() !== null && stopping === null) await sender.round();
  });
  const renew = createLoop(log, 'taking the lease', async () => {
    if (stopping === null) await lead();
    look.run();
  });
  const unsubscribe = subscribe(app.db, ({ kind }) => {
    if (kind === 'outbox') look.run();
  });
  const looking = setInterval(look.run, LOOK_EVERY_MS);
  const renewing = setInterval(renew.run, LEASE_RENEWAL_MS);
  renew.run();

  const drain = async (patience: AbortSignal): Promise<void> => {
    unsubscribe();
    clearInterval(looking);
    clearInterval(renewing);
    sender.close();
    if (patience.aborted) sender.abort();
    patience.addEventListener('abort', () => sender.abort(), { once: true });
    await Promise.all([renew.idle(), look.idle()]);
    await sender.idle();
    await held?.release();
    log.info('notifier stopped');
  };
  log.info('notifier started');
  return { name: 'notifier', stop: (patience) => (stopping ??= drain(patience)) };
}

/** Runs `work` one at a time; a call in the middle of it makes it run once more. A failure is told once until it works. */
function createLoop(log: Log, name: string, work: () => Promise<void>) {
  let running: Promise<void> | null = null;
  let again = false;
  let failed = false;
  const once = async (): Promise<void> => {
    try {
      await work();
      failed = false;
    } catch (error) {
      if (!failed) log.error(`${name} failed: ${messageOf(error)}`);
      failed = true;
    }
  };
  const run = (): void => {
    if (running !== null) {
      again = true;
      return;
    }
    running = once().finally(() => {
      running = null;
      if (again) {
        again = false;
        run();
      }
    });
  };
  return {
    run,
    idle: async (): Promise<void> => {
      while (running !== null) await running;
    },
  };
}
