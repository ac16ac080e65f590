import type { Withheld } from './healing.ts';
import type { Look } from '../check-vps.ts';
import type { Reachability } from './outage-guard.ts';
import { isSilent } from './verdict.ts';

/** What becomes of a look: recorded now, healed now, or held until the whole sweep is known. */
export type Triage =
  | { readonly kind: 'record' }
  | { readonly kind: 'heal'; readonly trial: boolean }
  | { readonly kind: 'withhold'; readonly reason: Withheld }
  | { readonly kind: 'hold'; readonly trial: boolean }
  | { readonly kind: 'unreachable' };

/** What one sweep has seen and sent so far. */
export type Round = {
  readonly looked: number;
  /** Healthy at their last check, not active now. */
  readonly stoppedAtOnce: number;
  readonly restartsGranted: number;
  readonly reachability: Reachability;
};

export const NEW_ROUND: Round = {
  looked: 0,
  stoppedAtOnce: 0,
  restartsGranted: 0,
  reachability: { reachableBefore: 0, lost: 0 },
};

export type RoundRules = {
  readonly fleet: number;
  readonly cap: number;
  readonly healing: 'on' | 'off' | 'paused';
};

/** Adds what a batch has found. VPSs under maintenance do not count: what happens to them was meant to. */
export function addLooks(round: Round, looks: readonly Look[]): Round {
  const counted = looks.filter(({ check }) => !check.maintenance && check.verdict.kind !== 'inconclusive');
  const before = counted.filter(({ vps }) => vps.state.reachable === true);
  const wasHealthy = ({ vps: { state } }: Look): boolean => state.status === 'healthy' && state.lastCheckAt !== null;
  const { reachableBefore, lost } = round.reachability;
  return {
    ...round,
    looked: round.looked + counted.length,
    stoppedAtOnce:
      round.stoppedAtOnce +
      counted.filter((look) => look.check.verdict.kind === 'not_active' && wasHealthy(look)).length,
    reachability: {
      reachableBefore: reachableBefore + before.length,
      lost: lost + before.filter(({ check }) => isSilent(check.verdict)).length,
    },
  };
}

/**
 * What to do with a look, given what the sweep has seen so far (this look included), and the round after that. Whatever
 * looks like a mass stop or an outage of ours is held until the sweep is complete: most sweeps hold nothing but the
 * unreachable, so a single stopped service does not wait for the rest of the fleet.
 */
export function triage(
  look: Look,
  round: Round,
  rules: RoundRules,
): { readonly triage: Triage; readonly round: Round } {
  const { decision, check } = look;
  if (isSilent(check.verdict)) return { triage: { kind: 'unreachable' }, round };
  if (decision.action === 'none') return { triage: { kind: 'record' }, round };
  const { trial } = decision;
  if (rules.healing !== 'on') {
    const reason = rules.healing === 'off' ? 'healing_off' : 'healing_paused';
    return { triage: { kind: 'withhold', reason }, round };
  }
  if (hasMassStopRule(rules.fleet) && isMassStop(round.stoppedAtOnce, round.looked))
    return { triage: { kind: 'hold', trial }, round };
  return grantRestart(trial, round, rules);
}

/** One more restart, if the sweep's cap allows. */
export function grantRestart(
  trial: boolean,
  round: Round,
  { cap }: RoundRules,
): { readonly triage: Triage; readonly round: Round } {
  if (round.restartsGranted >= cap) return { triage: { kind: 'withhold', reason: 'restart_cap' }, round };
  return { triage: { kind: 'heal', trial }, round: { ...round, restartsGranted: round.restartsGranted + 1 } };
}

/** Whether the whole fleet, now that it is known, has stopped at once. */
export const isFleetStopped = (round: Round, { fleet }: RoundRules): boolean =>
  hasMassStopRule(fleet) && isMassStop(round.stoppedAtOnce, fleet);

const LEAST_CAP = 5;
const CAP_SHARE = 0.1;
const SMALLEST_FLEET_FOR_PAUSE = 10;

/** How many restarts one sweep may send: the setting, or five, or a tenth of a larger fleet. */
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
