import type { App } from '../app.ts';
import { messageOf, type Log } from '../log.ts';
import { publish } from '../live/bus.ts';
import { wakeDispatcher } from '../notifications/dispatcher.ts';
import {
  healVps,
  lookAtVps,
  restartOnRequest,
  toRecord,
  withVerdict,
  type Look,
  type StopSignals,
} from './check-vps.ts';
import type { DueVps } from './fleet.ts';
import { LeaseLostError, recordChecks, type CheckRecord, type Recorded } from './health-store.ts';
import { describeRecorded } from './rules/log-lines.ts';
import { countsInPart, judgeSweep, pauseHealing, readMonitorState } from './monitor-state.ts';
import type { StallWatch } from './stall-watch.ts';
import { addLooks, grantRestart, isFleetStopped, NEW_ROUND, triage, type RoundRules, restartCap } from './rules/round.ts';
import { giveBack } from './vps-claims.ts';

export type SweepProgress = { readonly done: number; readonly total: number };

export type SweepContext = {
  readonly stop: StopSignals;
  readonly stalls: StallWatch;
  readonly log: Log;
  readonly onProgress: (progress: SweepProgress) => void;
  /** Takes the VPSs of a batch in hand and gives, as they are then, those that are to be looked at. */
  readonly claim: (batch: readonly DueVps[]) => Promise<readonly DueVps[]>;
  /** Set when these are some VPSs that an admin has asked for, and not the fleet. */
  readonly requested?: {
    /** Of the one VPS: the restart that was ordered, by its place in the ledger. */
    readonly restartId: string | null;
    /** Told of those that have been looked at: whatever is asked from now on is for another look. */
    readonly onLookedAt: (vpsIds: readonly string[]) => void;
  };
};

type Held = { readonly look: Look; readonly trial: boolean };

/** One sweep under way: looks at the fleet in batches, heals what may be healed, then settles what had to wait. */
export class SweepRun {
  readonly count = { healthy: 0, unhealthy: 0, maintenance: 0, restarted: 0, unchecked: 0 };
  /** The last fault of ours, for people. */
  fault: string | null = null;
  interrupted = false;
  /** Why an ordered restart could not be sent. */
  whyNotSent: string | null = null;
  readonly #app: App;
  readonly #due: readonly DueVps[];
  readonly #context: SweepContext;
  readonly #rules: RoundRules;
  #round = NEW_ROUND;
  readonly #unreachable: Look[] = [];
  readonly #stopped: Held[] = [];
  /** VPSs of a sweep that it has left to what an admin has asked for. */
  #unseen = 0;
  readonly #inHand = new Set<string>();

  constructor(app: App, due: readonly DueVps[], context: SweepContext) {
    this.#app = app;
    this.#due = due;
    this.#context = context;
    const fleet = due.length;
    const cap = restartCap(fleet, app.settings.maxRestartsPerSweep);
    this.#rules = { fleet, cap, healing: readMonitorState(app.db).healing };
  }

  async lookAtAll(): Promise<void> {
    const { stop, onProgress } = this.#context;
    let done = 0;
    onProgress({ done, total: this.#due.length });
    for (const batch of inBatches(this.#due, this.#app.settings.batchSize)) {
      if (stop.probes.aborted || this.interrupted) break;
      await this.#sweepBatch(batch);
      done += batch.length;
      onProgress({ done, total: this.#due.length });
    }
    this.interrupted ||= done < this.#due.length || stop.probes.aborted;
  }

  /** Judges the sweep as a whole and records what had to wait for that. */
  async settleHeld(): Promise<void> {
    const { log, stop, requested } = this.#context;
    const { reachability } = this.#round;
    const counts = requested
      ? countsInPart(this.#app.db, reachability)
      : (await judgeSweep(this.#app.db, { ...reachability, unseen: this.#unseen }, new Date())).counts;
    if (!counts && this.#unreachable.length > 0) {
      const besides = this.#unseen > 0 ? ` (${this.#unseen} more were left to checks by hand)` : '';
      this.fault = requested
        ? 'much of the fleet is unreachable at once: this check says nothing'
        : `${reachability.lost} of ${reachability.reachableBefore} VPSs became unreachable at once${besides}: this sweep says nothing about them`;
      log.error(this.fault);
    }
    const outage = { kind: 'inconclusive', cause: 'outage', message: this.fault ?? '' } as const;
    for (const batch of inBatches(this.#unreachable, this.#app.settings.batchSize))
      await this.#record(
        batch.map((look) => toRecord(counts ? look : withVerdict(look, outage), noHealing(look.decision))),
      );

    const stopped = this.#round.stoppedAtOnce;
    if (!requested && this.#stopped.length > 0 && isFleetStopped(this.#round, this.#rules)) {
      await pauseHealing(this.#app.db, { stopped, fleet: this.#rules.fleet }, new Date());
      log.error(`${stopped} of ${this.#rules.fleet} services stopped at once: healing pauses until an admin decides`);
      for (const batch of inBatches(this.#stopped, this.#app.settings.batchSize))
        await this.#record(batch.map(({ look }) => toRecord(look, { action: 'none', reason: 'healing_paused' })));
      return;
    }
    if (requested || isFleetStopped({ ...this.#round, stoppedAtOnce: stopped + this.#unseen }, this.#rules)) {
      // Whether the whole fleet has stopped is for the next sweep to see.
      await this.#record(this.#stopped.map(({ look }) => toRecord(look, { action: 'none', reason: 'restart_cap' })));
      return;
    }
    for (const batch of inBatches(this.#stopped, this.#app.settings.batchSize)) {
      if (stop.probes.aborted) this.interrupted = true;
      if (this.interrupted) return;
      await this.#record(await this.#act(batch.map(({ look, trial }) => this.#grant(look, trial))));
    }
  }

  /** Looks at a batch at the same time, heals what may be healed, and records all of it in one transaction. */
  async #sweepBatch(wanted: readonly DueVps[]): Promise<void> {
    const batch = await this.#context.claim(wanted);
    this.#unseen += wanted.length - batch.length;
    this.takeInHand(batch.map(idOf));
    const settled = await Promise.allSettled(batch.map((vps) => lookAtVps(this.#app, vps, this.#context)));
    const looks = settled.flatMap((result, index) => {
      if (result.status === 'fulfilled') return isGivenUp(result.value) ? [] : [result.value];
      this.#onFault(`${batch[index]?.subscription.userId} could not be checked`, result.reason, 1);
      return [];
    });
    this.#round = addLooks(this.#round, looks);
    await this.#record(await this.#act(looks.map((look) => this.#decide(look))));
    const held = [...this.#unreachable, ...this.#stopped.map(({ look }) => look)].map(({ vps }) => idOf(vps));
    this.#giveBack(batch.map(idOf).filter((id) => !held.includes(id)));
    this.#context.requested?.onLookedAt(batch.map(idOf));
  }

  /** Notes what `claim` has taken, so that it is given back. */
  takeInHand(ids: readonly string[]): void {
    for (const id of ids) this.#inHand.add(id);
  }

  #giveBack(ids: Iterable<string>): void {
    for (const id of ids) if (this.#inHand.delete(id)) giveBack(id);
  }

  /** At the end, whatever it was: nothing stays in hand. */
  giveBackAll(): void {
    this.#giveBack([...this.#inHand]);
  }

  /** What is to be done about a look now; null: it waits for the end of the sweep. */
  #decide(look: Look): (() => Promise<CheckRecord>) | null {
    const restartId = this.#context.requested?.restartId ?? null;
    if (restartId !== null) {
      const { target } = look;
      if (target !== null)
        return () => restartOnRequest(this.#app, { ...look, target }, { ...this.#context, restartId });
      const { verdict } = look.check;
      this.whyNotSent = verdict.kind === 'healthy' ? null : verdict.message;
    }
    const { triage: what, round } = triage(look, this.#round, this.#rules);
    this.#round = round;
    switch (what.kind) {
      case 'unreachable':
        this.#unreachable.push(look);
        return null;
      case 'hold':
        this.#stopped.push({ look, trial: what.trial });
        return null;
      default:
        return this.#carryOut(look, what);
    }
  }

  #grant(look: Look, trial: boolean): () => Promise<CheckRecord> {
    const { triage: what, round } = grantRestart(trial, this.#round, this.#rules);
    this.#round = round;
    return this.#carryOut(look, what);
  }

  #carryOut(look: Look, what: ReturnType<typeof triage>['triage']): () => Promise<CheckRecord> {
    if (what.kind === 'heal') return () => healVps(this.#app, look, { ...this.#context, trial: what.trial });
    const healing =
      what.kind === 'withhold' ? ({ action: 'none', reason: what.reason } as const) : noHealing(look.decision);
    return () => Promise.resolve(toRecord(look, healing));
  }

  /** Restarts of a batch run at the same time; one that throws costs its own VPS only. */
  async #act(actions: readonly ((() => Promise<CheckRecord>) | null)[]): Promise<CheckRecord[]> {
    const settled = await Promise.allSettled(actions.flatMap((act) => (act === null ? [] : [act()])));
    return settled.flatMap((result) => {
      if (result.status === 'fulfilled') return isAbandoned(result.value) ? [] : [result.value];
      if (result.reason instanceof LeaseLostError) this.interrupted = true;
      this.#onFault('a VPS could not be healed', result.reason, 1);
      return [];
    });
  }

  async #record(records: readonly CheckRecord[]): Promise<void> {
    if (records.length === 0) return;
    try {
      for (const recorded of await recordChecks(this.#app.db, records, this.#app.settings)) this.#tally(recorded);
      publish({ kind: 'vps', vpsIds: records.map(({ subscriptionId }) => subscriptionId) });
      wakeDispatcher();
    } catch (error) {
      this.#onFault(`the results of ${records.length} VPSs could not be saved`, error, records.length);
      if (error instanceof LeaseLostError) this.interrupted = true;
    }
  }

  #tally(recorded: Recorded): void {
    const { events } = recorded;
    for (const line of describeRecorded(recorded)) this.#context.log.info(line);
    const kinds = events.map(({ kind }) => kind);
    if (kinds.includes('inconclusive')) this.count.unchecked++;
    else if (kinds.includes('maintenance_noted')) this.count.maintenance++;
    else if (kinds.includes('healthy') || kinds.includes('restarted')) this.count.healthy++;
    else this.count.unhealthy++;
    if (kinds.includes('restarted')) this.count.restarted++;
  }

  #onFault(what: string, error: unknown, vpsCount: number): void {
    this.count.unchecked += vpsCount;
    this.fault = `${what}: ${messageOf(error)}`;
    this.#context.log.error(this.fault);
  }
}

const idOf = ({ subscription }: DueVps): string => subscription.id;

const noHealing = (decision: Look['decision']) =>
  decision.action === 'none' ? decision : ({ action: 'none', reason: 'not_called_for' } as const);

/** A look that was given up half-way: there is nothing to write down. */
const isGivenUp = ({ check: { verdict } }: Look): boolean =>
  verdict.kind === 'inconclusive' && verdict.cause === 'aborted';

const isAbandoned = ({ check: { verdict }, restartId }: CheckRecord): boolean =>
  restartId === null && verdict.kind === 'inconclusive' && verdict.cause === 'aborted';

function* inBatches<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
