import type { App } from '../app.ts';
import { createLog, messageOf, type Log } from '../log.ts';
import { acquireLease, LEASE_RENEWAL_MS, releaseLease } from '../monitoring/lease.ts';
import { recoverSending } from './outbox-upkeep.ts';
import { createSender, type SenderOptions } from './sender.ts';

const LOOK_EVERY_MS = 1_000;
const DRAIN_MS = 10_000;

const DEFAULTS: SenderOptions = {
  log: createLog('notifier'),
  nowMs: Date.now,
  random: Math.random,
  timeoutMs: 10_000,
  concurrency: 4,
};

type RunningDispatcher = { readonly wake: () => void; readonly stop: () => Promise<void> };

// On globalThis: hot reload makes this module anew, and two dispatchers would fight over the same messages.
const DISPATCHER = Symbol.for('wardround.notifier');
const shared = globalThis as { [DISPATCHER]?: RunningDispatcher };

/** Starts sending what waits in the outbox, once a process: further calls change nothing. */
export function startDispatcher(app: App, options: Partial<SenderOptions> = {}): void {
  shared[DISPATCHER] ??= createDispatcher(app, { ...DEFAULTS, ...options });
}

/** Stops sending; what is under way has ten seconds to end and be recorded. A second call waits for the same end. */
export async function stopDispatcher(): Promise<void> {
  await shared[DISPATCHER]?.stop();
}

/** Looks into the outbox at once instead of within a second: to be called after a commit that has put something in. */
export function wakeDispatcher(): void {
  shared[DISPATCHER]?.wake();
}

function createDispatcher(app: App, options: SenderOptions): RunningDispatcher {
  const { log, nowMs } = options;
  const sender = createSender(app, options);
  let leading = false;
  let stopping: Promise<void> | null = null;

  /** Whether this process is the one that sends; what the one before it has left in the middle is taken up again. */
  const lead = async (): Promise<void> => {
    const other = await acquireLease(app.db, 'notifier');
    const isNew = other === null && !leading;
    leading = other === null;
    if (!isNew) return;
    const left = await recoverSending(app.db, sender.inFlight(), new Date(nowMs()));
    if (left > 0) log.info(`${left} left in the middle by a process that ended: sent again under the same id`);
  };
  const look = createLoop(log, 'looking into the outbox', async () => {
    if (leading && stopping === null) await sender.round();
  });
  const renew = createLoop(log, 'renewing the lease', async () => {
    if (stopping === null) await lead();
    look.run();
  });
  const looking = setInterval(look.run, LOOK_EVERY_MS);
  const renewing = setInterval(renew.run, LEASE_RENEWAL_MS);
  renew.run();

  const drain = async (): Promise<void> => {
    clearInterval(looking);
    clearInterval(renewing);
    sender.close();
    const patience = setTimeout(sender.abort, DRAIN_MS);
    await Promise.all([renew.idle(), look.idle()]);
    await sender.idle();
    clearTimeout(patience);
    await releaseLease(app.db, 'notifier');
    delete shared[DISPATCHER];
    log.info('notifier stopped');
  };
  log.info('notifier started');
  return { wake: look.run, stop: () => (stopping ??= drain()) };
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
