import { setTimeout as sleep } from 'node:timers/promises';
import { cleanRemoteLines } from '../facts/remote-text.ts';
import { describeState, isBeingStarted, isUp, type UnitFacts } from '../facts/unit-state.ts';
import { READ_UPTIME, readUnitFacts, UNIT_PROPERTIES } from './rules/unit-facts.ts';
import { isFailedJob, readFailedRestart, readState, type RestartFailure } from './rules/systemctl-answer.ts';
import { shellWord } from './rules/shell-word.ts';
import type { SSHFailureCode } from './ssh-failure.ts';
import type { SSHLimits, VpsConnection } from './vps-connection.ts';

/** What one look at a VPS brought, in the terms of this program; no text of the remote host decides after this. */
export type ProbeResult =
  | { readonly kind: 'state'; readonly activeState: string; readonly exitCode: number; readonly unit: UnitFacts | null }
  | { readonly kind: 'sudo_refused'; readonly message: string }
  | {
      readonly kind: 'no_answer';
      readonly code: SSHFailureCode;
      readonly message: string;
      /** The key that the host has shown instead of the pinned one. */
      readonly offeredHostKey?: string | null;
    }
  | { readonly kind: 'odd_answer'; readonly message: string };

export type Probe = {
  readonly result: ProbeResult;
  /** From dial to answer, in milliseconds. */
  readonly durationMs: number;
  /** The key the host showed; null when it came to no login. */
  readonly hostKey: string | null;
  /** What `systemctl show` said of a unit that is not active, as clean lines; empty where it said nothing. */
  readonly unitText: string;
};

export type RestartOutcome =
  | { readonly outcome: 'succeeded' }
  | ({ readonly outcome: 'failed' } & RestartFailure)
  /** The connection failed before the command was on its way: nothing was tried. */
  | { readonly outcome: 'not_sent'; readonly code: SSHFailureCode; readonly message: string }
  /** The command was sent, then the host fell silent. */
  | { readonly outcome: 'unknown'; readonly code: SSHFailureCode | 'odd_answer'; readonly message: string }
  /** The command was cut off while the service was on its way up, which is no failure yet: the next look tells. */
  | { readonly outcome: 'still_starting'; readonly message: string; readonly unit: UnitFacts | null }
  /** The monitor was stopped meanwhile. */
  | { readonly outcome: 'interrupted'; readonly message: string };

/** Asks the VPS how its service is; where it is not active, also why. Never changes anything there. */
export async function probeService(vps: VpsConnection, signal?: AbortSignal): Promise<Probe> {
  const startedAt = performance.now();
  const command = `sudo systemctl is-active ${shellWord(vps.target.service)}`;
  const answer = await vps.run({ command, timeoutMs: vps.limits.commandTimeoutMs, reads: true, signal });
  const durationMs = Math.round(performance.now() - startedAt);
  if (!answer.ok)
    return {
      result: {
        kind: 'no_answer',
        code: answer.code,
        message: answer.message,
        offeredHostKey: answer.offeredHostKey,
      },
      durationMs,
      hostKey: null,
      unitText: '',
    };
  const { hostKey, exitCode } = answer;
  const result = readState(answer);
  if (result.kind !== 'state') return { result, durationMs, hostKey, unitText: '' };
  const { activeState } = result;
  const unitText = isUp(activeState, exitCode) ? '' : await readUnit(vps, signal);
  const unit = unitText === '' ? null : readUnitFacts(unitText);
  return { result: { kind: 'state', activeState, exitCode, unit }, durationMs, hostKey, unitText };
}

const LONGEST_UNIT_TEXT = 2_000;

/** Reading needs no sudo. Empty when the account may not, or the host has gone away meanwhile. */
async function readUnit(vps: VpsConnection, signal?: AbortSignal): Promise<string> {
  const command = `systemctl show ${shellWord(vps.target.service)} --property=${UNIT_PROPERTIES.join(',')} && ${READ_UPTIME}`;
  const answer = await vps.run({ command, timeoutMs: vps.limits.commandTimeoutMs, reads: true, signal });
  return answer.ok && answer.exitCode === 0 ? cleanRemoteLines(answer.stdout, LONGEST_UNIT_TEXT) : '';
}

const JOURNAL_LINES = 50;
const LONGEST_JOURNAL = 16 * 1024;

/** `unit` as one word of a command line. */
export const journalCommand = (unit: string): string =>
  `journalctl --unit=${unit} --lines=${JOURNAL_LINES} --no-pager --quiet --output=short-iso`;

/**
 * The last lines of the unit's journal, clean, 16 KiB at most: a restart pushes them away. Empty where the account may
 * not read them: that is no reason not to heal.
 */
export async function readJournalTail(vps: VpsConnection, signal?: AbortSignal): Promise<string> {
  const read = journalCommand(shellWord(vps.target.service));
  // sudo, if it lets us; else the login may be a member of systemd-journal. Cut there, as lines can be of any length;
  // one byte more than is kept shows that it was cut.
  const command = `(sudo -n ${read} || ${read}) 2>/dev/null | tail -c ${LONGEST_JOURNAL + 1}`;
  const answer = await vps.run({ command, timeoutMs: vps.limits.commandTimeoutMs, reads: true, signal });
  return answer.ok && answer.exitCode === 0 ? cleanRemoteLines(answer.stdout, LONGEST_JOURNAL) : '';
}

/**
 * Restarts the service and says whether it is active a settle time afterwards: a unit of `Type=simple` counts as
 * started even when it dies at once. `resetFailed` first forgives systemd's own start limit, in the same command. When the
 * connection breaks after the command was sent, the look afterwards, over a fresh one, decides; the command is never sent
 * twice. `before` is what the probe has read of the unit; with it, the start limit is recognised behind other words, too.
 * `signal` ends the waiting, not the command on the host.
 */
export async function restartRachelService(
  vps: VpsConnection,
  {
    resetFailed = false,
    before = null,
    signal,
  }: {
    readonly resetFailed?: boolean;
    readonly before?: UnitFacts | null;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<RestartOutcome> {
  const { target, limits } = vps;
  const unit = shellWord(target.service);
  // Its failure is no reason not to try, and its words would be taken for the other's: most units have nothing to forgive.
  const forgive = resetFailed ? `sudo systemctl reset-failed ${unit} 2>/dev/null; ` : '';
  const command = `${forgive}sudo systemctl restart ${unit}`;
  const answer = await vps.run({ command, timeoutMs: limits.restartTimeoutMs, reads: false, signal });
  if (answer.ok && answer.exitCode !== 0) {
    const neverStarted = isFailedJob(answer) && (await isSameInvocation(before, vps, signal));
    return { outcome: 'failed', ...readFailedRestart(answer, { service: target.service, neverStarted }) };
  }
  if (!answer.ok && !answer.sent)
    return { outcome: 'not_sent', code: answer.code, message: `the restart could not be sent: ${answer.message}` };
  const sent = answer.ok ? 'restarted' : `restart sent, then ${answer.message}`;
  return settleRestart(() => probeService(vps, signal), { sent, isCutOff: !answer.ok, limits, signal });
}

/** What became of a restart that was sent, by a look some seconds later. `isCutOff`: nobody has heard how the order ended. */
export async function settleRestart(
  look: () => Promise<Probe>,
  { signal, ...order }: Sent & { readonly signal?: AbortSignal | undefined },
): Promise<RestartOutcome> {
  const { sent, limits } = order;
  try {
    await sleep(limits.restartSettleMs, undefined, { signal });
  } catch {
    return { outcome: 'interrupted', message: `${sent}; the monitor was stopped before it could look again` };
  }
  return describeSettled(await look(), order);
}

type Sent = { readonly sent: string; readonly isCutOff: boolean; readonly limits: SSHLimits };

/** What the look after a restart says about it. */
function describeSettled({ result }: Probe, { sent, isCutOff, limits }: Sent): RestartOutcome {
  switch (result.kind) {
    case 'state': {
      if (isUp(result.activeState, result.exitCode)) return { outcome: 'succeeded' };
      const seen = `${limits.restartSettleMs / 1000} s later the service was ${describeState(result.activeState, result.unit)}`;
      const { activeState, unit } = result;
      if (isCutOff && (unit === null ? activeState === 'activating' : isBeingStarted(activeState, unit)))
        return { outcome: 'still_starting', message: `${sent}; ${seen}`, unit };
      const code = unit?.result === 'start-limit-hit' ? 'start_limit' : 'restart_failed';
      return { outcome: 'failed', code, message: `${sent}, but ${seen}` };
    }
    case 'no_answer':
      if (result.code === 'aborted') return { outcome: 'interrupted', message: `${sent}; ${result.message}` };
      return { outcome: 'unknown', code: result.code, message: `${sent}; afterwards: ${result.message}` };
    case 'sudo_refused':
    case 'odd_answer':
      return { outcome: 'unknown', code: 'odd_answer', message: `${sent}; afterwards: ${result.message}` };
  }
}

/** Whether nothing has been started since `before`; false where that cannot be told. */
async function isSameInvocation(before: UnitFacts | null, vps: VpsConnection, signal?: AbortSignal): Promise<boolean> {
  if (!before?.invocationId) return false;
  return readUnitFacts(await readUnit(vps, signal)).invocationId === before.invocationId;
}
