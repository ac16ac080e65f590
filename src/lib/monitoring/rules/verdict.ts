import { isOurFault, traitsOf, type CauseWith, type OwnFault } from '../../facts/cause.ts';
import { describeState, isUp } from '../../facts/unit-state.ts';
import type { SSHFailureCode } from '../../provisioning/ssh-failure.ts';
import type { ProbeResult, RestartOutcome } from '../../provisioning/vps-status.ts';
import { isWaitedFor, startingSince, startUnderWay, type Start } from './start-wait.ts';

/** What a probe means. Only `not_active` permits a restart. */
export type Verdict =
  | { readonly kind: 'healthy' }
  /** `transitional`: still on its way up or down, after its grace. */
  | {
      readonly kind: 'not_active';
      readonly cause: 'service_not_active';
      readonly message: string;
      readonly transitional: boolean;
      /** It has ended without an error: somebody has stopped it, or it was done. */
      readonly stopped?: boolean;
      /** The start that has taken longer than it is given. */
      readonly overdue?: Start | null;
    }
  /** On its way up, and younger than a start of this unit may be: it is waited for. */
  | {
      readonly kind: 'starting';
      readonly cause: 'service_starting';
      readonly message: string;
      readonly start: Start;
    }
  /** On its way up or down, for the first time: looked at again in the next sweep before anything is done. */
  | { readonly kind: 'in_transition'; readonly cause: 'service_in_transition'; readonly message: string }
  /** SSH works, but a restart cannot help or is not ours to send. */
  | { readonly kind: 'misconfigured'; readonly cause: CauseWith<{ fault: 'setup' }>; readonly message: string }
  | {
      readonly kind: 'unreachable';
      readonly cause: Exclude<SSHFailureCode, OwnFault>;
      readonly message: string;
      /** What the host has shown instead of its pinned key. */
      readonly offeredHostKey?: string | null;
    }
  /** Our own fault: says nothing about the VPS. */
  | { readonly kind: 'inconclusive'; readonly cause: OwnFault; readonly message: string };

/** Whether it is our own fault that nobody saw how a restart ended: the next look tells. */
export const isUnseen = (outcome: RestartOutcome): boolean =>
  outcome.outcome === 'unknown' && outcome.code !== 'odd_answer' && isOurFault(outcome.code);

/** Whether nothing came back from the host, which may as well be the fault of our own network. */
export const isSilent = (verdict: Verdict): boolean => verdict.kind === 'unreachable' && traitsOf(verdict.cause).silent;

/** What the look before has left. */
type Before = {
  /** It found the unit between two states already. */
  readonly graceUsed: boolean;
  /** The start that it found under way. */
  readonly start: Start | null;
};

export function judge(result: ProbeResult, before: Before, now: Date): Verdict {
  switch (result.kind) {
    case 'no_answer': {
      const { code: cause, message, offeredHostKey } = result;
      return isOurFault(cause)
        ? { kind: 'inconclusive', cause, message }
        : { kind: 'unreachable', cause, message, offeredHostKey: offeredHostKey ?? null };
    }
    case 'sudo_refused':
    case 'odd_answer':
      return { kind: 'misconfigured', cause: result.kind, message: result.message };
    case 'state':
      return judgeState(result, before, now);
  }
}

/** systemctl(1), exit status; older versions of systemd have 3 for that, too. */
const NO_SUCH_UNIT = 4;

function judgeState(
  { activeState, exitCode, unit }: Extract<ProbeResult, { kind: 'state' }>,
  { graceUsed, start: seen }: Before,
  now: Date,
): Verdict {
  if (isUp(activeState, exitCode)) return { kind: 'healthy' };
  switch (unit?.loadState ?? (exitCode === NO_SUCH_UNIT ? 'not-found' : null)) {
    case 'not-found':
      return {
        kind: 'misconfigured',
        cause: 'unit_missing',
        message: 'the service is not installed on the VPS (unit not found)',
      };
    case 'masked':
      return {
        kind: 'misconfigured',
        cause: 'unit_masked',
        message: 'the service is masked on the VPS, so it cannot be started',
      };
    case 'bad-setting':
    case 'error':
      return {
        kind: 'misconfigured',
        cause: 'unit_broken',
        message: `systemd cannot load the service (${unit?.loadState})`,
      };
    case null:
      break;
  }
  const start = unit && startUnderWay(activeState, unit, seen, now);
  if (start !== null && isWaitedFor(start, now))
    return { kind: 'starting', cause: 'service_starting', message: startingSince(start, now), start };
  const transitional = activeState === 'activating' || activeState === 'deactivating';
  // Between two automatic starts: the one that was waited for has failed.
  const isSpent = start !== null || (activeState === 'activating' && seen !== null);
  if (transitional && !graceUsed && !isSpent)
    return {
      kind: 'in_transition',
      cause: 'service_in_transition',
      message: `service is ${describeState(activeState, unit)}`,
    };
  const tooLong = start === null ? '' : `, ${startingSince(start, now)}`;
  const message = `service not active: ${describeState(activeState, unit)}${tooLong}`;
  const stopped = activeState === 'inactive' && unit?.result === 'success' && unit.invocationId !== '';
  return { kind: 'not_active', cause: 'service_not_active', message, transitional, stopped, overdue: start };
}
