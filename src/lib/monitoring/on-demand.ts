import { setTimeout as sleep } from 'node:timers/promises';
import { partOf, type App } from '../app.ts';
import type { HeldLease } from '../db/lease-keeper.ts';
import { tell } from '../live/bus.ts';
import { createLog, messageOf, type Log } from '../log.ts';
import { listActive, type DueVps } from './fleet.ts';
import { countsInPart, readMonitorState } from './monitor-state.ts';
import { closeOrder } from './restart-ledger.ts';
import { restartCap } from './rules/round.ts';
import { runRound, type RoundReport } from './run-round.ts';
import { watchStalls } from './stall-watch.ts';
import { stopSignals } from './sweep.ts';
import { sweepLeaseOf } from './sweep-lease.ts';
import { claimsOf } from './vps-claims.ts';

/** `stopped`: this process is ending. `busy`: another process has been sweeping all the while. */
export type OnDemandEnd = 'done' | 'stopped' | 'busy';

/** Another process sweeps for some seconds each minute. */
const LEASE_PATIENCE_MS = 120_000;
const LEASE_RETRY_MS = 250;

type Asked = 'check' | 'restart';
type Wanted = { readonly ids: readonly string[]; readonly restartId: string | null; readonly log: Log };

/** What admins have asked of this process: checks and restarts of some VPSs, beside the sweep. */
export class OnDemand {
  readonly #app: App;
  readonly #probes = new AbortController();
  readonly #restarts = new AbortController();
  /** Told apart by identity: what was asked later for one of its VPSs stands in its place. */
  readonly #asked = new Map<string, { readonly what: Asked }>();
  readonly #underWay = new Set<Promise<unknown>>();
  /** Checks are made one lot after the other, so that they stay as gentle as a sweep. */
  #lastCheck: Promise<unknown> = Promise.resolve();

  constructor(app: App) {
    this.#app = app;
  }

  /** What has been asked for this VPS and is not done yet; for pages. */
  askedFor(vpsId: string): Asked | null {
    return this.#asked.get(vpsId)?.what ?? null;
  }

  /**
   * Checks these VPSs as soon as nobody else works on them, as a sweep would. Never rejects; no page waits for it. A VPS
   * that waits already for a check or a restart is not asked for twice.
   */
  checkSoon(vpsIds: readonly string[], log: Log = createLog('health-checker')): Promise<OnDemandEnd> {
    const ids = vpsIds.filter((id) => !this.#asked.has(id));
    return this.#ask(ids, 'check', (onLookedAt) => {
      const turn = this.#lastCheck.then(() => this.#checkNow({ ids, restartId: null, log }, onLookedAt));
      this.#lastCheck = turn.catch(() => undefined);
      return turn;
    });
  }

  /** Restarts the service of this VPS, as ordered in the ledger. Never rejects; no page waits for it. */
  restartSoon(
    { vpsId, restartId }: { readonly vpsId: string; readonly restartId: string },
    log: Log = createLog('health-checker'),
  ): Promise<OnDemandEnd> {
    return this.#ask([vpsId], 'restart', (onLookedAt) => this.#checkNow({ ids: [vpsId], restartId, log }, onLookedAt));
  }

  /**
   * Nothing more is begun, for good: whatever is asked for from now on ends as `stopped`, and an order is closed in the
   * ledger. Resolves when what is under way has ended; a restart may go on until `patience` is aborted.
   */
  async stop(patience: AbortSignal): Promise<void> {
    this.#probes.abort();
    const giveUp = (): void => this.#restarts.abort();
    if (patience.aborted) giveUp();
    patience.addEventListener('abort', giveUp, { once: true });
    await Promise.all(this.#underWay);
  }

  async #ask(
    ids: readonly string[],
    what: Asked,
    run: (onLookedAt: (vpsIds: readonly string[]) => void) => Promise<OnDemandEnd>,
  ): Promise<OnDemandEnd> {
    if (ids.length === 0) return 'done';
    const asked = { what };
    for (const id of ids) this.#asked.set(id, asked);
    const forget = (vpsIds: readonly string[]): void => {
      if (vpsIds.length === 0) return;
      for (const id of vpsIds) if (this.#asked.get(id) === asked) this.#asked.delete(id);
      tell(this.#app.db, { kind: 'vps', vpsIds });
    };
    const done = run(forget)
      .catch((error: unknown): OnDemandEnd => {
        createLog('health-checker').error(`what an admin has asked for failed: ${messageOf(error)}`);
        return 'done';
      })
      .finally(() => {
        this.#underWay.delete(done);
        forget(ids);
      });
    this.#underWay.add(done);
    return done;
  }

  async #checkNow(wanted: Wanted, onLookedAt: (vpsIds: readonly string[]) => void): Promise<OnDemandEnd> {
    const { restartId } = wanted;
    let whyNot = 'not sent: the server was stopping';
    try {
      const lease = await this.#waitForLease();
      if (lease === null) {
        if (this.#probes.signal.aborted) return 'stopped';
        whyNot = 'not sent: another process was sweeping all the while';
        return 'busy';
      }
      try {
        const report = await this.#checkUnderLease(wanted, lease, onLookedAt);
        if (!report.interrupted) whyNot = 'not sent: the VPS is not watched any more, or was changed meanwhile';
        whyNot = report.whyNotSent ? `not sent: ${report.whyNotSent}` : (report.fault ?? whyNot);
        return report.interrupted ? 'stopped' : 'done';
      } finally {
        await lease.release();
      }
    } finally {
      if (restartId !== null) await closeOrder(this.#app.db, restartId, whyNot);
    }
  }

  async #checkUnderLease(
    { ids, restartId, log }: Wanted,
    lease: HeldLease,
    onLookedAt: (vpsIds: readonly string[]) => void,
  ): Promise<RoundReport> {
    const app = this.#app;
    const { db, settings } = app;
    const claims = claimsOf(app);
    const stalls = watchStalls();
    // As they are once they are claimed: whoever had them has written what was seen.
    const claim = async (batch: readonly DueVps[], note: (id: string) => void): Promise<readonly DueVps[]> => {
      const claimed = batch.map(({ subscription }) => subscription.id);
      for (const id of claimed) {
        await claims.claimWhenFree(id);
        note(id);
      }
      return listActive(db, settings, claimed);
    };
    const due = listActive(db, settings, ids);
    const { healing } = readMonitorState(db);
    const cap = restartCap(due.length, settings.maxRestartsPerSweep);
    return runRound(
      app,
      due,
      { kind: 'request', asked: due.length, restart: restartId !== null, cap, healing },
      {
        tenure: lease.tenure,
        stop: stopSignals(lease, { probes: this.#probes.signal, restarts: this.#restarts.signal }),
        stalls,
        log,
        claim,
        restartId,
        onLookedAt,
        judge: (found) => Promise.resolve(countsInPart(db, found)),
        pause: () => Promise.resolve(),
      },
    ).finally(() => stalls.stop());
  }

  /** Null: the server stops, or another process does not give it back. */
  async #waitForLease(): Promise<HeldLease | null> {
    const { signal } = this.#probes;
    const giveUpAtMs = performance.now() + LEASE_PATIENCE_MS;
    while (!signal.aborted && performance.now() < giveUpAtMs) {
      const lease = await sweepLeaseOf(this.#app).hold();
      if (!('pid' in lease)) return lease;
      await sleep(LEASE_RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
    return null;
  }
}

export const onDemandOf = (app: App): OnDemand => partOf(app, 'on demand', () => new OnDemand(app));
