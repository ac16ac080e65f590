import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../app.ts';
import { createLog, messageOf, type Log } from '../log.ts';
import { publish } from '../live/bus.ts';
import { listActive, type DueVps } from './fleet.ts';
import { closeOrder } from './health-store.ts';
import { watchStalls } from './stall-watch.ts';
import { holdSweepLease, type HeldLease } from './sweep-lease.ts';
import { SweepRun, type SweepContext } from './sweep-run.ts';
import { claimWhenFree } from './vps-claims.ts';

/** `stopped`: this process is ending. `busy`: another process has been sweeping all the while. */
export type OnDemandEnd = 'done' | 'stopped' | 'busy';

/** How long a restart that is under way may go on when the server stops. */
const DRAIN_MS = 10_000;
/** Another process sweeps for some seconds each minute. */
const LEASE_PATIENCE_MS = 120_000;
const LEASE_RETRY_MS = 250;

/** One lot: told apart by identity, since what was asked later for one of its VPSs stands in its place. */
type Asked = { readonly what: 'check' | 'restart' };

type Work = {
  readonly probes: AbortController;
  readonly restarts: AbortController;
  /** What is asked for each VPS and not done yet. */
  readonly asked: Map<string, Asked>;
  readonly underWay: Set<Promise<unknown>>;
  /** Checks are made one lot after the other, so that they stay as gentle as a sweep. */
  lastCheck: Promise<unknown>;
};

// On globalThis: hot reload makes this module anew, and what is under way goes on.
const WORK = Symbol.for('wardround.on-demand');
const shared = globalThis as { [WORK]?: Work };
const currentWork = (): Work =>
  (shared[WORK] ??= {
    probes: new AbortController(),
    restarts: new AbortController(),
    asked: new Map(),
    underWay: new Set(),
    lastCheck: Promise.resolve(),
  });

/** What an admin has asked for this VPS, of this process, and is not done yet; for pages. */
export const askedFor = (vpsId: string): Asked['what'] | null => shared[WORK]?.asked.get(vpsId)?.what ?? null;

/**
 * Checks these VPSs as soon as nobody has them in hand, as a sweep would. Never rejects; no page waits for it. A VPS
 * that waits already for a check or a restart is not asked for twice.
 */
export function checkSoon(app: App, vpsIds: readonly string[], log: Log = createLog('health-checker')) {
  const work = currentWork();
  const ids = vpsIds.filter((id) => !work.asked.has(id));
  return ask(work, ids, 'check', (onLookedAt) => {
    const turn = work.lastCheck.then(() => checkNow(app, work, { ids, restartId: null, onLookedAt }, log));
    work.lastCheck = turn.catch(() => undefined);
    return turn;
  });
}

/** Restarts the service of this VPS, as ordered in the ledger. Never rejects; no page waits for it. */
export const restartSoon = (
  app: App,
  { vpsId, restartId }: { readonly vpsId: string; readonly restartId: string },
  log: Log = createLog('health-checker'),
): Promise<OnDemandEnd> => {
  const work = currentWork();
  return ask(work, [vpsId], 'restart', (onLookedAt) =>
    checkNow(app, work, { ids: [vpsId], restartId, onLookedAt }, log),
  );
};

/**
 * Nothing more is begun, for good: whatever is asked for from now on ends as `stopped`, and an order is closed in the
 * ledger. Resolves when what is under way has ended, ten seconds later at most.
 */
export async function stopOnDemand(): Promise<void> {
  const work = currentWork();
  work.probes.abort();
  const patience = setTimeout(() => work.restarts.abort(), DRAIN_MS);
  await Promise.all(work.underWay);
  clearTimeout(patience);
}

async function ask(
  work: Work,
  ids: readonly string[],
  what: Asked['what'],
  run: (onLookedAt: Wanted['onLookedAt']) => Promise<OnDemandEnd>,
): Promise<OnDemandEnd> {
  if (ids.length === 0) return 'done';
  const asked = { what };
  for (const id of ids) work.asked.set(id, asked);
  const forget = (vpsIds: readonly string[]): void => {
    for (const id of vpsIds) if (work.asked.get(id) === asked) work.asked.delete(id);
    publish({ kind: 'vps', vpsIds });
  };
  const done = run(forget)
    .catch((error: unknown): OnDemandEnd => {
      createLog('health-checker').error(`what an admin has asked for failed: ${messageOf(error)}`);
      return 'done';
    })
    .finally(() => {
      work.underWay.delete(done);
      forget(ids);
    });
  work.underWay.add(done);
  return done;
}

type Wanted = { readonly ids: readonly string[] } & NonNullable<SweepContext['requested']>;

async function checkNow(app: App, work: Work, wanted: Wanted, log: Log): Promise<OnDemandEnd> {
  const { restartId } = wanted;
  let whyNot = 'not sent: the server was stopping';
  try {
    const lease = await waitForLease(app, work.probes.signal, log);
    if (lease === null) {
      if (work.probes.signal.aborted) return 'stopped';
      whyNot = 'not sent: another process was sweeping all the while';
      return 'busy';
    }
    try {
      const run = await checkUnderLease(app, work, wanted, { lease, log });
      if (!run.interrupted) whyNot = 'not sent: the VPS is not watched any more, or was changed meanwhile';
      whyNot = run.whyNotSent ? `not sent: ${run.whyNotSent}` : (run.fault ?? whyNot);
      return run.interrupted ? 'stopped' : 'done';
    } finally {
      await lease.release();
    }
  } finally {
    if (restartId !== null) await closeOrder(app.db, restartId, whyNot);
  }
}

async function checkUnderLease(
  app: App,
  work: Work,
  { ids, ...requested }: Wanted,
  { lease, log }: { readonly lease: HeldLease; readonly log: Log },
): Promise<SweepRun> {
  const stop = {
    probes: AbortSignal.any([lease.lost, work.probes.signal]),
    restarts: AbortSignal.any([lease.lost, work.restarts.signal]),
  };
  const stalls = watchStalls();
  // As they are once they are in hand: whoever had them has written what was seen.
  const claim = async (batch: readonly DueVps[]): Promise<readonly DueVps[]> => {
    const claimed = batch.map(({ subscription }) => subscription.id);
    for (const id of claimed) await claimWhenFree(id);
    run.takeInHand(claimed);
    return listActive(app.db, claimed);
  };
  const due = listActive(app.db, ids);
  const run = new SweepRun(app, due, {
    stop,
    stalls,
    log,
    onProgress: () => undefined,
    claim,
    requested,
  });
  try {
    await run.lookAtAll();
    if (!run.interrupted) await run.settleHeld();
    return run;
  } finally {
    run.giveBackAll();
    stalls.stop();
  }
}

/** Null: the server stops, or another process does not give it back. */
async function waitForLease(app: App, stop: AbortSignal, log: Log): Promise<HeldLease | null> {
  const giveUpAtMs = performance.now() + LEASE_PATIENCE_MS;
  while (!stop.aborted && performance.now() < giveUpAtMs) {
    const lease = await holdSweepLease(app.db, log);
    if (!('pid' in lease)) return lease;
    await sleep(LEASE_RETRY_MS, undefined, { signal: stop }).catch(() => undefined);
  }
  return null;
}
