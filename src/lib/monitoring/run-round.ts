import type { App } from '../app.ts';
import { messageOf } from '../log.ts';
import { count } from '../metrics/counting.ts';
import { heal, recordOf, restartOnRequest, type CarryOutContext, type Outcome } from './carry-out.ts';
import type { DueVps } from './fleet.ts';
import { recordChecks, type CheckRecord, type Recorded } from './health-store.ts';
import { lookAtVps, type Look } from './look.ts';
import { describeRecorded } from './rules/log-lines.ts';
import type { Reachability } from './rules/outage-guard.ts';
import { withheldBy } from './rules/healing.ts';
import { newRound, seeBatch, settle, type RoundRules, type Settled, type Step } from './rules/round.ts';
import { isUpAfter } from './rules/transition.ts';
import { LeaseLostError } from './tenure.ts';
import { claimsOf } from './vps-claims.ts';

export type RoundContext = CarryOutContext & {
  /** Takes the VPSs of a batch, noting each, and gives, as they are then, those that are to be looked at. */
  readonly claim: (batch: readonly DueVps[], note: (id: string) => void) => Promise<readonly DueVps[]>;
  readonly onLookedAt: (vpsIds: readonly string[], done: number) => void;
  /** The restart that an admin has ordered for the one VPS, by its place in the ledger. */
  readonly restartId: string | null;
  /** Judges what was found of the fleet as a whole: whether silence counts. */
  readonly judge: (found: Reachability & { readonly unseen: number }) => Promise<boolean>;
  readonly pause: (found: NonNullable<Settled<Look>['pause']>) => Promise<void>;
};

/** What a round came to. */
export type RoundReport = {
  readonly count: Readonly<Record<'healthy' | 'unhealthy' | 'maintenance' | 'restarted' | 'unchecked', number>>;
  /** The last fault of ours, for people. */
  readonly fault: string | null;
  readonly interrupted: boolean;
  /** Why an ordered restart was not sent. */
  readonly whyNotSent: string | null;
};

/**
 * One round: looks at these VPSs in batches, writes down what is known at once, heals beside the next batches, and settles
 * what had to wait for the end. Rejects when the database cannot be read.
 */
export async function runRound(
  app: App,
  due: readonly DueVps[],
  rules: RoundRules,
  context: RoundContext,
): Promise<RoundReport> {
  const run = new RoundRun(app, due, rules, context);
  try {
    await run.lookAtAll();
    await run.settleWaiting();
  } finally {
    await run.end();
  }
  return run.report;
}

class RoundRun {
  readonly #count = { healthy: 0, unhealthy: 0, maintenance: 0, restarted: 0, unchecked: 0 };
  #fault: string | null = null;
  #interrupted = false;
  #whyNotSent: string | null = null;
  #round = newRound<Look>();
  /** Restarts under way: the next batch does not wait for them. */
  readonly #healing: Promise<void>[] = [];
  readonly #claimed = new Set<string>();
  /** VPSs of a sweep that it has left to what an admin has asked for. */
  #unseen = 0;
  readonly #app: App;
  readonly #due: readonly DueVps[];
  readonly #rules: RoundRules;
  readonly #context: RoundContext;

  constructor(app: App, due: readonly DueVps[], rules: RoundRules, context: RoundContext) {
    this.#app = app;
    this.#due = due;
    this.#rules = rules;
    this.#context = context;
  }

  get report(): RoundReport {
    return {
      count: this.#count,
      fault: this.#fault,
      interrupted: this.#interrupted,
      whyNotSent: this.#whyNotSent,
    };
  }

  async lookAtAll(): Promise<void> {
    let done = 0;
    this.#context.onLookedAt([], done);
    for (const wanted of inBatches(this.#due, this.#app.settings.batchSize)) {
      if (this.#isStopped()) break;
      const batch = await this.#context.claim(wanted, (id) => this.#claimed.add(id));
      this.#unseen += wanted.length - batch.length;
      const looks = await this.#look(batch);
      const { round, steps } = seeBatch(this.#round, looks, this.#rules);
      this.#round = round;
      await this.#take(steps);
      await closeUnused(looks, steps);
      const isSettled = (step: Step<Look>): boolean => !isRestart(step);
      this.#giveBack(steps.filter(isSettled).map(({ look }) => idOf(look.vps)));
      done += wanted.length;
      this.#context.onLookedAt(batch.map(idOf), done);
    }
    await Promise.all(this.#healing);
    this.#interrupted ||= done < this.#due.length || this.#context.stop.probes.aborted;
  }

  /** A part of the fleet is no basis to judge the whole; what waits is looked at again in the next sweep. */
  async settleWaiting(): Promise<void> {
    if (this.#isStopped()) return;
    try {
      await this.#settle();
    } catch (error) {
      if (!(error instanceof LeaseLostError)) throw error;
      this.#onFault('the round could not be judged', error, 0);
    }
  }

  async #settle(): Promise<void> {
    const { reachability, unreachable } = this.#round;
    const silenceCounts = await this.#context.judge({ ...reachability, unseen: this.#unseen });
    if (!silenceCounts && unreachable.length > 0) this.#tellOfOutage(reachability);
    const { steps, pause } = settle(this.#round, this.#rules, { silenceCounts, unseen: this.#unseen });
    if (pause !== null) {
      await this.#context.pause(pause);
      this.#context.log.error(
        `${pause.stopped} of ${pause.fleet} services stopped at once: healing pauses until an admin decides`,
      );
    }
    for (const batch of inBatches(steps, this.#app.settings.batchSize)) {
      if (this.#isStopped()) break;
      await this.#take(batch);
      await Promise.all(this.#healing);
    }
    this.#interrupted ||= this.#context.stop.probes.aborted;
  }

  /** Whatever it was that ended it: nothing goes on, and nothing stays claimed. */
  async end(): Promise<void> {
    await Promise.all(this.#healing);
    this.#giveBack([...this.#claimed]);
  }

  #isStopped = (): boolean => this.#interrupted || this.#context.stop.probes.aborted;

  async #look(batch: readonly DueVps[]): Promise<readonly Look[]> {
    const { stop, stalls, restartId } = this.#context;
    const watch = { signal: stop.probes, stalls, isRestartOrdered: restartId !== null };
    const looking = batch.map((vps) => lookAtVps(this.#app, vps, watch));
    const settled = await Promise.allSettled(looking);
    return settled.flatMap((result, index) => {
      if (result.status === 'fulfilled') return [result.value];
      this.#onFault(`${batch[index]?.subscription.userId} could not be checked`, result.reason, 1);
      return [];
    });
  }

  /** Writes at once, in one transaction, what needs nothing to be sent; the rest goes on beside. */
  async #take(steps: readonly Step<Look>[]): Promise<void> {
    const restarts = steps.filter(isRestart);
    const records = steps.flatMap((step) => (isRestart(step) ? [] : (recordOf(step) ?? [])));
    this.#noteUnsent(steps);
    await this.#record(records);
    if (restarts.length > 0) this.#healing.push(this.#restartAll(restarts));
  }

  /** Restarts of a batch run at the same time; one that throws costs its own VPS only. */
  async #restartAll(steps: readonly RestartStep[]): Promise<void> {
    const settled = await Promise.allSettled(steps.map((step) => this.#restart(step)));
    const records = settled.flatMap((result) => {
      if (result.status === 'rejected') {
        this.#onFault('a VPS could not be healed', result.reason, 1);
        return [];
      }
      const { recorded, record } = result.value;
      if (recorded !== null) this.#tell(recorded);
      if (recorded !== null && record === null) this.#tally(recorded);
      return record === null ? [] : [record];
    });
    await this.#record(records);
    this.#giveBack(steps.map(({ look: { vps } }) => idOf(vps)));
  }

  async #restart({ do: what, look }: RestartStep): Promise<Outcome> {
    const { connection } = look;
    const { restartId } = this.#context;
    if (connection === null) return { recorded: null, record: null };
    if (what === 'heal') return heal(this.#app, { ...look, connection }, this.#context);
    if (restartId === null) throw new Error('a restart on request without an order');
    return restartOnRequest(this.#app, { ...look, connection }, restartId, this.#context);
  }

  #noteUnsent(steps: readonly Step<Look>[]): void {
    if (this.#context.restartId === null) return;
    for (const step of steps) {
      const { verdict } = step.look.check;
      if (step.do !== 'restart' && verdict.kind !== 'healthy') this.#whyNotSent = verdict.message;
    }
  }

  async #record(records: readonly CheckRecord[]): Promise<void> {
    if (records.length === 0) return;
    try {
      const written = await recordChecks(this.#app.db, this.#context.tenure, records, this.#app.settings);
      for (const recorded of written) {
        this.#tell(recorded);
        this.#tally(recorded);
      }
    } catch (error) {
      this.#onFault(`the results of ${records.length} VPSs could not be saved`, error, records.length);
    }
  }

  #tell(recorded: Recorded): void {
    for (const line of describeRecorded(recorded)) this.#context.log.info(line);
    const by = withheldBy(recorded.healing);
    if (by !== null) count(this.#app, { kind: 'withheld', by });
  }

  #tally({ events }: Recorded): void {
    const kinds = events.map(({ kind }) => kind);
    if (events.length === 0 || kinds.includes('inconclusive')) this.#count.unchecked++;
    else if (kinds.includes('maintenance_noted')) this.#count.maintenance++;
    else if (isUpAfter(events)) this.#count.healthy++;
    else this.#count.unhealthy++;
    if (kinds.includes('restarted')) this.#count.restarted++;
  }

  #tellOfOutage({ lost, reachableBefore }: Reachability): void {
    const besides = this.#unseen > 0 ? ` (${this.#unseen} more were left to checks by hand)` : '';
    this.#fault =
      this.#rules.kind === 'request'
        ? 'much of the fleet is unreachable at once: this check says nothing'
        : `${lost} of ${reachableBefore} VPSs became unreachable at once${besides}: this sweep says nothing about them`;
    this.#context.log.error(this.#fault);
  }

  #onFault(what: string, error: unknown, vpsCount: number): void {
    if (error instanceof LeaseLostError) this.#interrupted = true;
    this.#count.unchecked += vpsCount;
    this.#fault = `${what}: ${messageOf(error)}`;
    this.#context.log.error(this.#fault);
  }

  #giveBack(ids: Iterable<string>): void {
    for (const id of ids) if (this.#claimed.delete(id)) claimsOf(this.#app).giveBack(id);
  }
}

type RestartStep = Extract<Step<Look>, { do: 'heal' | 'restart' }>;
const isRestart = (step: Step<Look>): step is RestartStep => step.do === 'heal' || step.do === 'restart';

/** A restart closes its connection itself; what waits for the end of the round makes another then. */
async function closeUnused(looks: readonly Look[], steps: readonly Step<Look>[]): Promise<void> {
  const used = new Set(steps.filter(isRestart).map(({ look }) => look));
  await Promise.all(looks.filter((look) => !used.has(look)).map(async (look) => look.connection?.close()));
}

const idOf = ({ subscription }: DueVps): string => subscription.id;

function* inBatches<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
