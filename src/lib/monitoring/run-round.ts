import type { App } from '../app.ts';
import { databaseTrouble } from '../db/trouble.ts';
import { exactDuration } from '../facts/time-words.ts';
import { messageOf } from '../log.ts';
import { count as countFor } from '../metrics/counting.ts';
import { beginTrace, type Span } from '../metrics/tracing.ts';
import { giveBack, heal, recordOf, restartOnRequest, type CarryOutContext, type Outcome } from './carry-out.ts';
import type { DueVps } from './fleet.ts';
import { recordChecks, type CheckRecord, type Recorded } from './health-store.ts';
import { beforeRound, noteLately, tempered } from './lately.ts';
import { lookAtVps, type Look } from './look.ts';
import { limitsOf, noteLookTime, pacedOf, planOf, type PacedVps } from './pace-facts.ts';
import { runPaced } from './paced.ts';
import { withheldBy } from './rules/healing.ts';
import { describeRecorded } from './rules/log-lines.ts';
import type { Reachability } from './rules/outage-guard.ts';
import { inBatches, type Batch } from './rules/pace.ts';
import { newRound, seeBatch, settle, type Round, type RoundRules, type Settled, type Step } from './rules/round.ts';
import { isSecondLookInVain, isSeenTwice, secondLookDelayMs } from './rules/second-look.ts';
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
  /** Whether all that was found is written down. */
  readonly saved: boolean;
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
  #saved = true;
  #interrupted = false;
  #whyNotSent: string | null = null;
  #round: Round<Look>;
  /** Restarts under way: the next batch does not wait for them. */
  readonly #healing: Promise<void>[] = [];
  /** Connections that are open. */
  #open = 0;
  #done = 0;
  /** VPSs for which a sweep had no time. */
  #leftOut = 0;
  /** First looks at those that were reachable before, and are to be looked at once more. */
  readonly #silent = new Map<string, Look>();
  readonly #claimed = new Set<string>();
  /** VPSs of a sweep that it has left to what an admin has asked for. */
  #unseen = 0;
  readonly #app: App;
  readonly #due: readonly DueVps[];
  readonly #rules: RoundRules;
  readonly #context: RoundContext;
  readonly #span: Span;

  constructor(app: App, due: readonly DueVps[], rules: RoundRules, context: RoundContext) {
    this.#app = app;
    this.#due = due;
    this.#rules = rules;
    this.#context = context;
    this.#span = beginTrace(app, rules.kind, { vpss: due.length });
    this.#round = newRound<Look>(beforeRound(app, rules.kind, due));
  }

  get report(): RoundReport {
    return {
      count: this.#count,
      fault: this.#fault,
      saved: this.#saved,
      interrupted: this.#interrupted,
      whyNotSent: this.#whyNotSent,
    };
  }

  async lookAtAll(): Promise<void> {
    this.#context.onLookedAt([], 0);
    const limits = limitsOf(this.#app.settings, this.#rules.kind);
    await runPaced(planOf(this.#app, this.#due, limits), limits, {
      begin: (batch) => this.#lookAtBatch(batch),
      leave: (left, why) => this.#leaveOut(left.length, why, limits.intervalMs),
      againAfterMs: () => secondLookDelayMs(Math.random()),
      open: () => this.#open,
      stop: this.#context.stop.probes,
      isStopped: this.#isStopped,
    });
    await Promise.all(this.#healing);
    this.#interrupted ||= this.#context.stop.probes.aborted;
  }

  /** Gives those that are to be looked at once more before it counts that they are silent. */
  async #lookAtBatch({ vpss, againAtMs }: Batch<PacedVps>): Promise<readonly PacedVps[]> {
    const wanted = vpss.map(({ vps }) => vps);
    const span = this.#span.begin('batch', { vpss: wanted.length, again: againAtMs !== null });
    try {
      if (againAtMs === null) return await this.#lookOnce(wanted);
      await this.#see(await this.#lookTwice(wanted), wanted.length);
      return [];
    } finally {
      span.end();
    }
  }

  async #lookOnce(wanted: readonly DueVps[]): Promise<readonly PacedVps[]> {
    const batch = await this.#context.claim(wanted, (id) => this.#claimed.add(id));
    this.#unseen += wanted.length - batch.length;
    const looks = await this.#look(batch);
    const silent = looks.filter(isSeenTwice);
    for (const look of silent) this.#silent.set(idOf(look.vps), look);
    const seen = looks.filter((look) => !silent.includes(look));
    await this.#see(seen, wanted.length - silent.length);
    return silent.map(({ vps }) => pacedOf(vps, this.#app.settings.connectTimeoutMs));
  }

  /** The second looks at those VPSs; the first ones where nothing more is to be learned. */
  async #lookTwice(wanted: readonly DueVps[]): Promise<readonly Look[]> {
    const silent = this.#round.reachability.lost + this.#silent.size;
    const isInVain = isSecondLookInVain(silent, this.#due.filter(({ state }) => state.reachable === true).length);
    const first = wanted.flatMap((vps) => this.#silent.get(idOf(vps)) ?? []);
    const looks = isInVain ? first : await this.#look(first.map(({ vps }) => vps));
    for (const vps of wanted) this.#silent.delete(idOf(vps));
    return looks;
  }

  /** What is known now of `count` VPSs is written down, or acted on, or waits for the end of the round. */
  async #see(looks: readonly Look[], count: number): Promise<void> {
    const { round, steps } = seeBatch(this.#round, looks.map(tempered(this.#app, this.#rules.kind)), this.#rules);
    this.#round = round;
    noteLately(this.#app, this.#rules.kind, looks, steps);
    await this.#take(steps);
    await giveBackUnused(this.#app, looks.filter(this.#isKept), steps);
    this.#open -= looks.filter(this.#isKept).length;
    const isSettled = (step: Step<Look>): boolean => !isRestart(step);
    this.#giveBack(steps.filter(isSettled).map(({ look }) => idOf(look.vps)));
    this.#done += count;
    this.#context.onLookedAt(
      looks.map(({ vps }) => idOf(vps)),
      this.#done,
    );
  }

  /** What has been looked at is judged by itself; the next sweep begins with the others, as their looks are the oldest. */
  #leaveOut(count: number, why: string, intervalMs: number): void {
    this.#leftOut = count;
    this.#count.unchecked += count;
    const all = this.#due.length;
    this.#fault = `${count} of ${all} VPSs were not looked at within ${exactDuration(intervalMs)}: ${why}; the next sweep begins with them`;
    this.#context.log.error(this.#fault);
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
    const { steps, pause } = settle(this.#round, this.#seenRules(), { silenceCounts, unseen: this.#unseen });
    noteLately(this.#app, this.#rules.kind, [], steps);
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

  #seenRules = (): RoundRules =>
    this.#rules.kind === 'sweep' ? { ...this.#rules, fleet: this.#rules.fleet - this.#leftOut } : this.#rules;

  /** Whatever it was that ended it: nothing goes on, and nothing stays claimed. */
  async end(): Promise<void> {
    await Promise.all(this.#healing);
    this.#giveBack([...this.#claimed]);
    this.#span.end({ ...this.#count, interrupted: this.#interrupted, saved: this.#saved }, this.#fault !== null);
  }

  /** Whether its link stays in use for a restart. */
  #isKept = ({ link, decision }: Look): boolean =>
    link !== null && (this.#context.restartId !== null || decision.action === 'restart');

  #isStopped = (): boolean => this.#interrupted || this.#context.stop.probes.aborted;

  async #look(batch: readonly DueVps[]): Promise<readonly Look[]> {
    const { stop, stalls, restartId } = this.#context;
    const watch = { signal: stop.probes, stalls, isRestartOrdered: restartId !== null };
    const looking = batch.map(async (vps) => {
      const beganAtMs = performance.now();
      let look: Look | null = null;
      this.#open++;
      try {
        return (look = await lookAtVps(this.#app, vps, watch));
      } finally {
        if (look === null || !this.#isKept(look)) this.#open--;
        noteLookTime(this.#app, vps, performance.now() - beganAtMs);
      }
    });
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
    if (restarts.length === 0) return;
    this.#open += restarts.length;
    const healing = this.#restartAll(restarts).finally(() => {
      this.#open -= restarts.length;
    });
    this.#healing.push(healing);
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

  async #restart(step: RestartStep): Promise<Outcome> {
    const span = this.#span.begin('restart', {
      vps: idOf(step.look.vps),
      asked_by: step.do === 'heal' ? 'monitor' : 'admin',
    });
    let outcome: Outcome | null = null;
    try {
      outcome = await this.#send(step);
      return outcome;
    } finally {
      const { record = null } = outcome ?? {};
      const ended = record?.kind === 'restart' ? record.end.outcome.outcome : 'not_sent';
      span.end({ outcome: ended }, outcome === null);
    }
  }

  async #send({ do: what, look }: RestartStep): Promise<Outcome> {
    const { link } = look;
    const { restartId } = this.#context;
    if (link === null) return { recorded: null, record: null };
    if (what === 'heal') return heal(this.#app, { ...look, link }, this.#context);
    if (restartId === null) throw new Error('a restart on request without an order');
    return restartOnRequest(this.#app, { ...look, link }, restartId, this.#context);
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
      this.#saved = false;
      this.#onFault(`the results of ${records.length} VPSs could not be saved`, error, records.length);
    }
  }

  #tell(recorded: Recorded): void {
    for (const line of describeRecorded(recorded)) this.#context.log.info(line);
    const by = withheldBy(recorded.healing);
    if (by !== null) countFor(this.#app, { kind: 'withheld', by });
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
    if (databaseTrouble(error) !== null) this.#saved = false;
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

/** Of links that are in use still: a restart gives its own back itself, and what waits for the end of the round takes it anew. */
async function giveBackUnused(app: App, looks: readonly Look[], steps: readonly Step<Look>[]): Promise<void> {
  const used = new Set(steps.filter(isRestart).map(({ look }) => look));
  const unused = looks.filter((look) => !used.has(look));
  await Promise.all(unused.map(async ({ vps, link }) => (link === null ? undefined : giveBack(app, { vps, link }))));
}

const idOf = ({ subscription }: DueVps): string => subscription.id;
