import { defaultApp, type App } from '../app.ts';
import { createLog, messageOf, type Log } from '../jobs/log.ts';
import { checkVps, type StopSignals } from './check-vps.ts';
import { listActive, type DueVps } from './fleet.ts';
import { LeaseLostError, recordChecks, type CheckRecord, type Recorded } from './health-store.ts';
import { acquireLease, LEASE_RENEWAL_MS, releaseLease } from './lease.ts';
import { describeRecorded } from './log-lines.ts';
import { isLoginBackedOff } from './transition.ts';

export type SweepSummary = {
  readonly startedAt: Date;
  readonly durationMs: number;
  /** VPSs that have a new result. */
  readonly checked: number;
  readonly healthy: number;
  readonly unhealthy: number;
  /** Restarts that brought a service back. */
  readonly restarted: number;
  /** Left out until their refused login may be tried again. */
  readonly waiting: number;
  /** Not checked, or not saved, through a fault of ours; `fault` tells the last one. */
  readonly unchecked: number;
  readonly fault: string | null;
};

export type SweepResult =
  | { readonly kind: 'completed'; readonly summary: SweepSummary }
  /** The monitor was stopped, or another process took over; what was checked until then is saved. */
  | { readonly kind: 'interrupted'; readonly summary: SweepSummary }
  /** Another sweep is running, in this process or in the one with this PID. */
  | { readonly kind: 'busy'; readonly pid: number };

export type SweepProgress = { readonly done: number; readonly total: number };

export type SweepOptions = {
  readonly stop?: StopSignals;
  readonly onProgress?: (progress: SweepProgress) => void;
  readonly log?: Log;
};

export const serverLog = createLog('health-checker');

let sweepInProgress = false;

/**
 * Checks every active VPS once, in batches, and records what it saw. One at a time, here and across processes.
 * Rejects only when the database cannot be read or the lease cannot be taken.
 */
export async function runHealthSweep(
  givenApp?: App,
  { stop, onProgress, log = serverLog }: SweepOptions = {},
): Promise<SweepResult> {
  if (sweepInProgress) return { kind: 'busy', pid: process.pid };
  sweepInProgress = true;
  try {
    const app = givenApp ?? (await defaultApp());
    const holder = await acquireLease(app.db, 'sweep');
    if (holder !== null) return { kind: 'busy', pid: holder.pid };
    // The lease may get lost while this process stands still; then another one sweeps, and this one has to end.
    const lost = new AbortController();
    const renewal = setInterval(() => {
      acquireLease(app.db, 'sweep').then(
        (other) => other !== null && lost.abort(),
        (error: unknown) => log.error(`the sweep lease could not be renewed: ${messageOf(error)}`),
      );
    }, LEASE_RENEWAL_MS);
    const signals: StopSignals = {
      probes: AbortSignal.any([lost.signal, ...(stop ? [stop.probes] : [])]),
      restarts: AbortSignal.any([lost.signal, ...(stop ? [stop.restarts] : [])]),
    };
    try {
      return await sweep(app, signals, log, onProgress ?? (() => undefined));
    } finally {
      clearInterval(renewal);
      await releaseLease(app.db, 'sweep');
    }
  } finally {
    sweepInProgress = false;
  }
}

async function sweep(
  app: App,
  stop: StopSignals,
  log: Log,
  onProgress: (progress: SweepProgress) => void,
): Promise<SweepResult> {
  const startedAt = new Date();
  const startMs = performance.now();
  const active = listActive(app.db);
  const due = active.filter((vps) => !isLoginBackedOff(vps.state, startedAt));
  const count = { healthy: 0, unhealthy: 0, restarted: 0, unchecked: 0 };
  let fault: string | null = null;
  const onFault = (what: string, error: unknown, vpsCount: number): void => {
    count.unchecked += vpsCount;
    fault = `${what}: ${messageOf(error)}`;
    log.error(fault);
  };

  log.info(
    `sweep started: ${active.length} active VPSs${active.length > due.length ? `, ${active.length - due.length} of them waiting after refused logins` : ''}`,
  );
  let done = 0;
  onProgress({ done, total: due.length });
  for (const batch of inBatches(due, app.settings.batchSize)) {
    if (stop.probes.aborted) break;
    try {
      for (const recorded of await sweepBatch(app, batch, { stop, log, onFault })) tally(recorded, count);
    } catch (error) {
      onFault(`the results of ${batch.length} VPSs could not be saved`, error, batch.length);
      if (error instanceof LeaseLostError) break;
    }
    done += batch.length;
    onProgress({ done, total: due.length });
  }

  const checked = count.healthy + count.unhealthy;
  const durationMs = Math.round(performance.now() - startMs);
  const interrupted = done < due.length || stop.probes.aborted;
  log.info(
    `sweep ${interrupted ? 'interrupted' : 'completed'} in ${(durationMs / 1000).toFixed(1)}s ` +
      `(${checked} checked, ${count.healthy} healthy, ${count.unhealthy} unhealthy${count.unchecked > 0 ? `, ${count.unchecked} not checked` : ''})`,
  );
  const waiting = active.length - due.length;
  return {
    kind: interrupted ? 'interrupted' : 'completed',
    summary: { startedAt, durationMs, checked, waiting, fault, ...count },
  };
}

type BatchContext = {
  readonly stop: StopSignals;
  readonly log: Log;
  readonly onFault: (what: string, error: unknown, vpsCount: number) => void;
};

/** Checks a batch at the same time and records it in one transaction; a check that throws costs its own VPS only. */
async function sweepBatch(
  app: App,
  batch: readonly DueVps[],
  { stop, log, onFault }: BatchContext,
): Promise<Recorded[]> {
  const settled = await Promise.allSettled(batch.map((vps) => checkVps(app, vps, stop, log)));
  const records: CheckRecord[] = [];
  for (const [index, result] of settled.entries()) {
    if (result.status === 'fulfilled') {
      if (!isAbandoned(result.value)) records.push(result.value);
    } else onFault(`${batch[index]?.subscription.userId} could not be checked`, result.reason, 1);
  }
  const recorded = await recordChecks(app.db, records, app.settings.breaker);
  for (const line of recorded.flatMap(describeRecorded)) log.info(line);
  return recorded;
}

/** A look that was given up half-way, with nothing sent: there is nothing to write down. */
const isAbandoned = ({ check, restartId }: CheckRecord): boolean =>
  restartId === null && check.verdict.kind === 'inconclusive' && check.verdict.cause === 'aborted';

function tally(
  { next, events }: Recorded,
  count: { healthy: number; unhealthy: number; restarted: number; unchecked: number },
): void {
  if (events.some((event) => event.kind === 'inconclusive')) count.unchecked++;
  else if (next.status === 'healthy') count.healthy++;
  else count.unhealthy++;
  if (events.some((event) => event.kind === 'restarted')) count.restarted++;
}

function* inBatches<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
