import type { SSHFailureCode } from '../../provisioning/ssh-failure.ts';
import { describeState, isUp } from '../../facts/unit-state.ts';
import type { ProbeResult, RestartOutcome } from '../../provisioning/vps-status.ts';

/** What is wrong, for machines; stored as `health_checks.last_error_code`. */
export type Cause =
  | SSHFailureCode
  | 'service_not_active'
  | 'service_in_transition'
  | 'unit_missing'
  | 'unit_masked'
  | 'unit_broken'
  | 'sudo_refused'
  | 'odd_answer'
  | 'restart_failed'
  | 'start_limit'
  | 'crash_loop'
  | 'key_unreadable'
  | 'outage';

/** What a probe means. Only `not_active` permits a restart. */
export type Verdict =
  | { readonly kind: 'healthy' }
  /** `transitional`: still on its way up or down, after its grace. */
  | {
      readonly kind: 'not_active';
      readonly cause: 'service_not_active';
      readonly message: string;
      readonly transitional: boolean;
    }
  /** On its way up or down, for the first time: looked at again in the next sweep before anything is done. */
  | { readonly kind: 'in_transition'; readonly cause: 'service_in_transition'; readonly message: string }
  /** SSH works, but a restart cannot help or is not ours to send. */
  | { readonly kind: 'misconfigured'; readonly cause: Cause; readonly message: string }
  | { readonly kind: 'unreachable'; readonly cause: SSHFailureCode; readonly message: string }
  /** Our own fault: says nothing about the VPS. */
  | { readonly kind: 'inconclusive'; readonly cause: Cause; readonly message: string };

const CONFIGURATION_FAULTS: readonly string[] = [
  'unit_missing',
  'unit_masked',
  'unit_broken',
  'sudo_refused',
  'odd_answer',
  'key_unreadable',
  'key_invalid',
  'target_invalid',
] satisfies readonly Cause[];

/** Whether somebody has to mend the machine, or what is stored of it, before a check can succeed. */
export const isConfigurationFault = (cause: string | null): boolean =>
  cause !== null && CONFIGURATION_FAULTS.includes(cause);

const OWN_FAULTS: readonly SSHFailureCode[] = ['key_invalid', 'target_invalid', 'stalled', 'aborted'];

/** Whether a failed SSH command tells about us rather than about the VPS. */
export const isOwnFault = (code: SSHFailureCode): boolean => OWN_FAULTS.includes(code);

const ANSWERS: readonly SSHFailureCode[] = ['auth_rejected', 'host_key_changed'];

/** Whether nothing came back from the host, which may as well be the fault of our own network. */
export const isSilent = (verdict: Verdict): boolean =>
  verdict.kind === 'unreachable' && !ANSWERS.includes(verdict.cause);

/** `graceUsed`: the previous sweep found the unit between two states already. */
export function judge(result: ProbeResult, { graceUsed }: { readonly graceUsed: boolean }): Verdict {
  switch (result.kind) {
    case 'no_answer':
      return isOwnFault(result.code)
        ? { kind: 'inconclusive', cause: result.code, message: result.message }
        : { kind: 'unreachable', cause: result.code, message: result.message };
    case 'sudo_refused':
    case 'odd_answer':
      return { kind: 'misconfigured', cause: result.kind, message: result.message };
    case 'state':
      return judgeState(result, graceUsed);
  }
}

/** systemctl(1), exit status; older versions of systemd have 3 for that, too. */
const NO_SUCH_UNIT = 4;

function judgeState(
  { activeState, exitCode, unit }: Extract<ProbeResult, { kind: 'state' }>,
  graceUsed: boolean,
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
  }
  const transitional = activeState === 'activating' || activeState === 'deactivating';
  if (transitional && !graceUsed)
    return {
      kind: 'in_transition',
      cause: 'service_in_transition',
      message: `service is ${describeState(activeState, unit)}`,
    };
  const message = `service not active: ${describeState(activeState, unit)}`;
  return { kind: 'not_active', cause: 'service_not_active', message, transitional };
}

/**
 * What a look and the restart that an admin has asked for mean together. Unlike a restart of ours, it may have hit a
 * service that was fine; `quiet`: failures are not counted now, so one that was mended is none.
 */
export function judgeRequestedRestart(found: Verdict, outcome: RestartOutcome, quiet: boolean): Verdict {
  switch (outcome.outcome) {
    case 'succeeded':
      return found.kind === 'not_active' && !quiet ? found : { kind: 'healthy' };
    case 'interrupted':
      return { kind: 'inconclusive', cause: 'aborted', message: outcome.message };
    case 'not_sent':
      return isOwnFault(outcome.code)
        ? { kind: 'inconclusive', cause: outcome.code, message: outcome.message }
        : { kind: 'unreachable', cause: outcome.code, message: outcome.message };
    case 'failed':
    case 'unknown':
    case 'still_starting': {
      const message = found.kind === 'healthy' ? 'service not active after a restart by hand' : found.message;
      return { kind: 'not_active', cause: 'service_not_active', message, transitional: false };
    }
  }
}
