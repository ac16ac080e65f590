import type { Withheld } from '../../facts/withheld.ts';
import { NOTHING_BEFORE, type Before } from './lately.ts';
import type { HealingDecision, NoHealing } from './healing.ts';
import type { Reachability } from './outage-guard.ts';
import type { Check, HealthState } from './transition.ts';
import { isSilent, type Verdict } from './verdict.ts';

/** What a round has to know of a look. */
export type Seen = {
  readonly check: Pick<Check, 'verdict' | 'maintenance'>;
  /** What is called for and allowed for this VPS by itself. */
  readonly decision: HealingDecision;
  /** As it was before. */
  readonly vps: {
    readonly state: Pick<
      HealthState,
      'reachable' | 'status' | 'lastCheckAt' | 'lastErrorCode' | 'consecutiveFailures' | 'circuitState'
    >;
  };
};

/** What is to be done about a look. */
export type Step<L> =
  /** Write it down; no restart is called for, or it is not allowed. */
  | { readonly do: 'record'; readonly look: L; readonly reason: NoHealing }
  /** Restart the service; `trial`: the one restart of a half-open circuit. */
  | { readonly do: 'heal'; readonly look: L; readonly trial: boolean }
  /** Restart it because an admin says so, whatever it is like. */
  | { readonly do: 'restart'; readonly look: L }
  /** Write it down: a restart would be allowed, but this round does not send it. */
  | { readonly do: 'withhold'; readonly look: L; readonly reason: Withheld }
  /** Write down that nothing is known: what was seen may be the fault of our own network. */
  | { readonly do: 'doubt'; readonly look: L }
  /** A look that was given up half-way: there is nothing to write down. */
  | { readonly do: 'drop'; readonly look: L };

/** What one round has seen and sent so far, and what waits for its end. */
export type Round<L> = {
  readonly looked: number;
  /** Healthy at their last check, or starting after that, and not active now. */
  readonly stoppedAtOnce: number;
  readonly restartsGranted: number;
  readonly reachability: Reachability;
  readonly unreachable: readonly L[];
  readonly stopped: readonly { readonly look: L; readonly trial: boolean }[];
};

/** `before`: what was seen and sent before this round, and counts into it. */
export const newRound = <L>({ stopped, restarts }: Before = NOTHING_BEFORE): Round<L> => ({
  looked: stopped,
  stoppedAtOnce: stopped,
  restartsGranted: restarts,
  reachability: { reachableBefore: 0, lost: 0 },
  unreachable: [],
  stopped: [],
});

type Limits = { readonly cap: number; readonly healing: 'on' | 'off' | 'paused' };
/** A round over the whole fleet, which can be judged by it. */
export type SweepRules = Limits & { readonly kind: 'sweep'; readonly fleet: number };
/** A look at some VPSs that an admin has asked for: no basis to judge the whole. `restart`: so is a restart of the one. */
export type RequestRules = Limits & { readonly kind: 'request'; readonly asked: number; readonly restart: boolean };
/** A look at those of which news has come: judged by what all rounds of the last interval have seen and sent. */
export type NewsRules = Limits & { readonly kind: 'news'; readonly fleet: number };
export type RoundRules = SweepRules | RequestRules | NewsRules;

type Seeing<L> = { readonly round: Round<L>; readonly steps: readonly Step<L>[] };

/**
 * What to do about the looks of a batch, and the round after that. Whatever looks like a mass stop or an outage of ours
 * waits until the round is complete: most rounds hold nothing but the unreachable, so a single stopped service does not
 * wait for the rest of the fleet.
 */
export const seeBatch = <L extends Seen>(round: Round<L>, looks: readonly L[], rules: RoundRules): Seeing<L> =>
  looks.reduce<Seeing<L>>(
    (before, look) => {
      const after = seeOne(before.round, look, rules);
      return { round: after.round, steps: [...before.steps, ...after.steps] };
    },
    { round: addLooks(round, looks), steps: [] },
  );

/** VPSs under maintenance do not count: what happens to them was meant to. */
function addLooks<L extends Seen>(round: Round<L>, looks: readonly L[]): Round<L> {
  const counted = looks.filter(counts);
  const before = counted.filter(({ vps }) => vps.state.reachable === true);
  const { reachableBefore, lost } = round.reachability;
  return {
    ...round,
    looked: round.looked + counted.length,
    stoppedAtOnce: round.stoppedAtOnce + counted.filter(hasStopped).length,
    reachability: {
      reachableBefore: reachableBefore + before.length,
      lost: lost + before.filter(({ check }) => isSilent(check.verdict)).length,
    },
  };
}

const counts = ({ check }: Seen): boolean => !check.maintenance && check.verdict.kind !== 'inconclusive';

/** Whether a service that ran at the look before runs no more, and is not meant to. */
export const hasStopped = (look: Seen): boolean => {
  const { state } = look.vps;
  const ran = (state.status === 'healthy' && state.lastCheckAt !== null) || isStartingAnew(state);
  return counts(look) && look.check.verdict.kind === 'not_active' && ran;
};

/** What is restarted and then does not come up has stopped, only later. */
const isStartingAnew = ({ lastErrorCode, consecutiveFailures, circuitState }: Seen['vps']['state']): boolean =>
  lastErrorCode === 'service_starting' && consecutiveFailures === 0 && circuitState === 'closed';

function seeOne<L extends Seen>(round: Round<L>, look: L, rules: RoundRules): Seeing<L> {
  const { decision, check } = look;
  if (isGivenUp(check.verdict)) return { round, steps: [{ do: 'drop', look }] };
  if (rules.kind === 'request' && rules.restart && hasAnswered(check.verdict))
    return { round, steps: [{ do: 'restart', look }] };
  // Only a sweep judges what does not answer: it sees the others, too.
  if (rules.kind === 'news' && !hasAnswered(check.verdict)) return { round, steps: [{ do: 'drop', look }] };
  if (isSilent(check.verdict)) return { round: { ...round, unreachable: [...round.unreachable, look] }, steps: [] };
  if (decision.action === 'none') return { round, steps: [{ do: 'record', look, reason: decision.reason }] };
  if (rules.healing !== 'on') {
    const reason = rules.healing === 'off' ? 'healing_off' : 'healing_paused';
    return { round, steps: [{ do: 'withhold', look, reason }] };
  }
  const { trial } = decision;
  const isMass =
    rules.kind === 'news'
      ? isFleetStopped(round.stoppedAtOnce, rules.fleet)
      : hasMassStopRule(rules.kind === 'sweep' ? rules.fleet : rules.asked) &&
        isMassStop(round.stoppedAtOnce, round.looked);
  if (isMass) return { round: { ...round, stopped: [...round.stopped, { look, trial }] }, steps: [] };
  return grantRestart(round, { look, trial }, rules);
}

const isGivenUp = (verdict: Verdict): boolean => verdict.kind === 'inconclusive' && verdict.cause === 'aborted';
const hasAnswered = ({ kind }: Verdict): boolean => kind !== 'unreachable' && kind !== 'inconclusive';

/** One more restart, if the round's cap allows. */
function grantRestart<L>(
  round: Round<L>,
  { look, trial }: { readonly look: L; readonly trial: boolean },
  { cap }: Limits,
): Seeing<L> {
  if (round.restartsGranted >= cap) return { round, steps: [{ do: 'withhold', look, reason: 'restart_cap' }] };
  return { round: { ...round, restartsGranted: round.restartsGranted + 1 }, steps: [{ do: 'heal', look, trial }] };
}

export type Settled<L> = {
  readonly steps: readonly Step<L>[];
  /** So much has stopped at once that healing pauses until an admin decides. */
  readonly pause: { readonly stopped: number; readonly fleet: number } | null;
};

/**
 * What becomes of what has waited, now that the round is complete. `silenceCounts`: what is unreachable is not our own
 * outage; `unseen`: how many VPSs of the fleet a sweep has left to what an admin has asked for.
 */
export function settle<L>(
  round: Round<L>,
  rules: RoundRules,
  { silenceCounts, unseen }: { readonly silenceCounts: boolean; readonly unseen: number },
): Settled<L> {
  const silent = round.unreachable.map((look): Step<L> =>
    silenceCounts ? { do: 'record', look, reason: 'not_called_for' } : { do: 'doubt', look },
  );
  const withheld = (reason: Withheld): readonly Step<L>[] =>
    round.stopped.map(({ look }) => ({ do: 'withhold', look, reason }));
  // Whether the whole fleet has stopped is for a sweep to see.
  if (rules.kind === 'request') return { steps: [...silent, ...withheld('fleet_unseen')], pause: null };
  const { fleet } = rules;
  if (round.stopped.length > 0 && isFleetStopped(round.stoppedAtOnce, fleet))
    return { steps: [...silent, ...withheld('healing_paused')], pause: { stopped: round.stoppedAtOnce, fleet } };
  if (isFleetStopped(round.stoppedAtOnce + unseen, fleet))
    return { steps: [...silent, ...withheld('fleet_unseen')], pause: null };
  const healed = round.stopped.reduce<Seeing<L>>(
    (before, held) => {
      const after = grantRestart(before.round, held, rules);
      return { round: after.round, steps: [...before.steps, ...after.steps] };
    },
    { round, steps: [] },
  );
  return { steps: [...silent, ...healed.steps], pause: null };
}

const LEAST_CAP = 5;
const CAP_SHARE = 0.1;
const SMALLEST_FLEET_FOR_PAUSE = 10;

/** How many restarts one round may send: the setting, or five, or a tenth of a larger fleet. */
export const restartCap = (fleet: number, configured: number | null): number =>
  configured ?? Math.max(LEAST_CAP, Math.floor(fleet * CAP_SHARE));

/**
 * Whether so many services stopped at once that something they share has stopped them, such as a bad release. Restarting
 * them all would help nobody. Asked of a part of the fleet (`fleet`: looked at so far) it tells whether to hold back and
 * see the rest first.
 */
export const isMassStop = (stoppedAtOnce: number, fleet: number): boolean => stoppedAtOnce * 2 > fleet;

/** Small fleets have no majority worth the name: two of three that stop are two incidents. */
export const hasMassStopRule = (fleet: number): boolean => fleet >= SMALLEST_FLEET_FOR_PAUSE;

const isFleetStopped = (stopped: number, fleet: number): boolean =>
  hasMassStopRule(fleet) && isMassStop(stopped, fleet);
