import type { App } from '../app.ts';
import { count } from '../facts/time-words.ts';
import { createLog, messageOf, type Log } from '../log.ts';
import { count as countFor } from '../metrics/counting.ts';
import type { VpsLink } from '../provisioning/vps-link.ts';
import type { StopSignals } from './carry-out.ts';
import { countActive, listActive, readStatusOf } from './fleet.ts';
import { pauseHealing, readMonitorState } from './monitor-state.ts';
import { BUS_ENDED, newsCalls, nextLookAtMs } from './rules/news.ts';
import { restartCap } from './rules/round.ts';
import { runRound } from './run-round.ts';
import { watchStalls } from './stall-watch.ts';
import { sweepLeaseOf } from './sweep-lease.ts';
import { noteSelfRestarts } from './self-restarts.ts';
import { stopSignals } from './sweep.ts';
import { claimsOf } from './vps-claims.ts';

/** A stop and a start that belong together pass by within this; and what stops together is looked at together. */
const GATHERING_MS = 40;

/**
 * What the buses of the fleet tell: a VPS of which news comes that does not fit what is written down is looked at at once,
 * and everything after that is as in a sweep. News itself is never believed: the look decides.
 */
export class NewsDesk {
  readonly #app: App;
  readonly #log: Log;
  readonly #stop: StopSignals;
  /** The last word of each bus. */
  readonly #heard = new Map<string, string>();
  readonly #lookedAtMs = new Map<string, number>();
  readonly #gathered = new Set<string>();
  readonly #waiting = new Map<string, NodeJS.Timeout>();
  readonly #counting = new Map<string, NodeJS.Timeout>();
  readonly #countedAtMs = new Map<string, number>();
  readonly #underWay = new Set<Promise<void>>();
  #gathering: NodeJS.Timeout | null = null;

  constructor(app: App, stop: StopSignals, log: Log = createLog('health-checker')) {
    this.#app = app;
    this.#log = log;
    this.#stop = stop;
    stop.probes.addEventListener('abort', () => this.#forgetTimers(), { once: true });
  }

  /** The unit has entered this state, or its bus has ended. Never throws. */
  onNews({ id, link }: { readonly id: string; readonly link: VpsLink }, activeState: string): void {
    countFor(this.#app, { kind: 'news' });
    this.#heard.set(id, activeState);
    if (activeState === 'active') this.#countSelfRestarts(id, link);
    // One that is started anew takes a moment.
    if (activeState === BUS_ENDED) this.#lookedAtMs.set(id, performance.now());
    this.#consider(id);
  }

  /** Resolves when what was begun has ended. */
  async ended(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  /** Looks at it, now or when it may be looked at again, if what was heard of it does not fit what is written down. */
  #consider(id: string): void {
    if (this.#stop.probes.aborted || this.#gathered.has(id) || this.#waiting.has(id)) return;
    if (!this.#isCalledFor(id)) return;
    const claims = claimsOf(this.#app);
    if (claims.isClaimed(id)) {
      // Whoever has it looks by himself; what he has not seen comes after.
      void claims.whenFree(id).then(() => this.#consider(id));
      return;
    }
    const nowMs = performance.now();
    const dueMs = nextLookAtMs(this.#lookedAtMs.get(id) ?? null, nowMs);
    if (dueMs > nowMs) {
      this.#waiting.set(
        id,
        setTimeout(() => {
          this.#waiting.delete(id);
          this.#consider(id);
        }, dueMs - nowMs).unref(),
      );
      return;
    }
    this.#gathered.add(id);
    this.#gathering ??= setTimeout(() => this.#lookAtGathered(), GATHERING_MS);
  }

  /** At most once in ten seconds: what has come together until then counts together. */
  #countSelfRestarts(id: string, link: VpsLink): void {
    if (this.#counting.has(id) || this.#stop.probes.aborted) return;
    const nowMs = performance.now();
    const dueMs = nextLookAtMs(this.#countedAtMs.get(id) ?? null, nowMs);
    this.#counting.set(
      id,
      setTimeout(() => {
        this.#counting.delete(id);
        this.#countedAtMs.set(id, performance.now());
        this.#begin(this.#noteSelfRestarts(id, link), [id]);
      }, dueMs - nowMs),
    );
  }

  async #noteSelfRestarts(id: string, link: VpsLink): Promise<void> {
    const restarts = await link.selfRestarts(this.#stop.probes);
    if (restarts === 0) return;
    const lease = await sweepLeaseOf(this.#app).hold();
    if ('pid' in lease) return;
    try {
      await noteSelfRestarts(this.#app, lease.tenure, { vpsId: id, restarts }, new Date());
    } finally {
      await lease.release();
    }
  }

  /** Goes on beside; its end is waited for when the monitor stops. */
  #begin(work: Promise<void>, vpsIds: readonly string[], atLast: () => void = () => undefined): void {
    const done = work
      .catch((error: unknown) => this.#tellFault(vpsIds, error))
      .finally(() => {
        this.#underWay.delete(done);
        atLast();
      });
    this.#underWay.add(done);
  }

  #tellFault(vpsIds: readonly string[], error: unknown): void {
    this.#log.error(`news of ${count(vpsIds.length, 'VPS', 'VPSs')} could not be followed: ${messageOf(error)}`);
  }

  #isCalledFor(id: string): boolean {
    try {
      return newsCalls(this.#heard.get(id), readStatusOf(this.#app.db, id));
    } catch (error) {
      // The sweep sees it.
      this.#tellFault([id], error);
      return false;
    }
  }

  #lookAtGathered(): void {
    this.#gathering = null;
    const gathered = [...this.#gathered];
    this.#gathered.clear();
    this.#begin(this.#look(gathered), gathered, () => {
      for (const id of gathered) this.#consider(id);
    });
  }

  async #look(gathered: readonly string[]): Promise<void> {
    const { db } = this.#app;
    const ids = gathered.filter((id) => this.#isCalledFor(id));
    if (ids.length === 0) return;
    // Whatever comes of it: what cannot be followed now is not tried again at once.
    const nowMs = performance.now();
    for (const id of ids) {
      this.#lookedAtMs.set(id, nowMs);
      if (this.#heard.get(id) === BUS_ENDED) this.#heard.delete(id);
    }
    const lease = await sweepLeaseOf(this.#app).hold();
    // Another process is the one that judges.
    if ('pid' in lease) return;
    const stalls = watchStalls();
    try {
      const { settings } = this.#app;
      const fleet = countActive(db);
      await runRound(
        this.#app,
        listActive(db, settings, ids),
        {
          kind: 'news',
          fleet,
          cap: restartCap(fleet, settings.maxRestartsPerSweep),
          healing: readMonitorState(db).healing,
        },
        {
          tenure: lease.tenure,
          stop: stopSignals(lease, this.#stop),
          stalls,
          log: this.#log,
          claim: (batch, note) => Promise.resolve(claimsOf(this.#app).claimFree(batch, performance.now(), note)),
          restartId: null,
          onLookedAt: () => undefined,
          judge: () => Promise.resolve(true),
          pause: (found) => pauseHealing(db, lease.tenure, found, new Date()),
        },
      );
    } finally {
      stalls.stop();
      await lease.release();
    }
  }

  #forgetTimers(): void {
    for (const timers of [this.#waiting, this.#counting]) for (const timer of timers.values()) clearTimeout(timer);
    if (this.#gathering !== null) clearTimeout(this.#gathering);
  }
}
