import { setTimeout as sleep } from 'node:timers/promises';
import { cleanRemoteLines, cleanRemoteText } from '../facts/remote-text.ts';
import { describeState, isKnownState, isUp, type UnitFacts } from '../facts/unit-state.ts';
import { execSSHCommand, type SSHCommandOptions } from './ssh-exec.ts';
import { SSHCommandError, type SSHFailureCode } from './ssh-failure.ts';

/** Where and as whom to log in, and which unit to look at. */
export type VpsTarget = Pick<SSHCommandOptions, 'host' | 'port' | 'username' | 'privateKey' | 'hostKey'> & {
  /** A unit name that matches `UNIT_NAME`: it becomes part of a command line. */
  readonly service: string;
};

export type SSHLimits = {
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly restartTimeoutMs: number;
  readonly restartSettleMs: number;
};

/** What one look at a VPS brought, in the terms of this program; no text of the remote host decides after this. */
export type ProbeResult =
  | { readonly kind: 'state'; readonly activeState: string; readonly exitCode: number; readonly unit: UnitFacts | null }
  | { readonly kind: 'sudo_refused'; readonly message: string }
  | { readonly kind: 'no_answer'; readonly code: SSHFailureCode; readonly message: string }
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
  | {
      readonly outcome: 'failed';
      readonly code: 'restart_failed' | 'start_limit' | 'sudo_refused' | 'unit_missing' | 'unit_masked';
      readonly message: string;
    }
  /** The connection failed before the command was on its way: nothing was tried. */
  | { readonly outcome: 'not_sent'; readonly code: SSHFailureCode; readonly message: string }
  /** The command was sent, then the host fell silent. */
  | { readonly outcome: 'unknown'; readonly code: SSHFailureCode | 'odd_answer'; readonly message: string }
  /** The command was cut off while the service was on its way up. */
  | { readonly outcome: 'still_starting'; readonly message: string }
  /** The monitor was stopped meanwhile. */
  | { readonly outcome: 'interrupted'; readonly message: string };

const SUDO_REFUSAL =
  /^sudo: .*(?:password|terminal|tty|no new privileges)|not allowed to execute|not in the sudoers|may not run sudo|sudo: (?:command )?not found/im;
const UNIT_MISSING = /^Failed to restart .*: Unit .* not found\.?$/m;
const UNIT_MASKED = /^Failed to restart .*: Unit .* is masked\.?$/m;
const START_LIMIT = /attempted too often|repeated too quickly|start[- ]limit/i;
/**
 * systemctl tells why a job failed by the unit's last result, and the start limit does not replace that of a crash: it
 * then says that "the control process exited with error code", while no process was started at all.
 */
const JOB_FAILED = /^Job for .* failed/m;

type Answer =
  | {
      readonly ok: true;
      readonly exitCode: number;
      readonly stdout: string;
      readonly stderr: string;
      readonly hostKey: string;
    }
  | { readonly ok: false; readonly code: SSHFailureCode; readonly message: string; readonly sent: boolean };

async function run(
  target: VpsTarget,
  command: string,
  limits: SSHLimits,
  signal?: AbortSignal,
  commandTimeoutMs = limits.commandTimeoutMs,
): Promise<Answer> {
  const { host, port, username, privateKey, hostKey } = target;
  const { connectTimeoutMs } = limits;
  try {
    const options = { host, port, username, privateKey, hostKey, command, connectTimeoutMs, commandTimeoutMs, signal };
    return { ok: true, ...(await execSSHCommand(options)) };
  } catch (error) {
    if (!(error instanceof SSHCommandError)) throw error;
    const { code, message, phase } = error;
    return { ok: false, code, message, sent: phase === 'channel' || phase === 'command' };
  }
}

/** Asks the VPS how its service is; where it is not active, also why. Never changes anything there. */
export async function probeService(target: VpsTarget, limits: SSHLimits, signal?: AbortSignal): Promise<Probe> {
  const startedAt = performance.now();
  const answer = await run(target, `sudo systemctl is-active ${target.service}`, limits, signal);
  const durationMs = Math.round(performance.now() - startedAt);
  if (!answer.ok)
    return {
      result: { kind: 'no_answer', code: answer.code, message: answer.message },
      durationMs,
      hostKey: null,
      unitText: '',
    };
  const { hostKey } = answer;
  const activeState = answer.stdout.trim();
  if (!isKnownState(activeState)) {
    const said = cleanRemoteText(answer.stderr || answer.stdout) || 'nothing';
    const result: ProbeResult = SUDO_REFUSAL.test(answer.stderr)
      ? { kind: 'sudo_refused', message: `sudo refused: ${said}` }
      : { kind: 'odd_answer', message: `systemctl answered with exit code ${answer.exitCode}: ${said}` };
    return { result, durationMs, hostKey, unitText: '' };
  }
  // With the key of the probe: this host, and no other, is the one that is asked on.
  const unitText = isUp(activeState, answer.exitCode) ? '' : await readUnit({ ...target, hostKey }, limits, signal);
  const unit = unitText === '' ? null : parseUnit(unitText);
  return { result: { kind: 'state', activeState, exitCode: answer.exitCode, unit }, durationMs, hostKey, unitText };
}

const UNIT_PROPERTIES = 'LoadState,ActiveState,SubState,Result,ExecMainStatus,NRestarts,InvocationID';
const LONGEST_UNIT_TEXT = 2_000;

/** Reading needs no sudo. Empty when the account may not, or the host has gone away meanwhile. */
async function readUnit(target: VpsTarget, limits: SSHLimits, signal?: AbortSignal): Promise<string> {
  const answer = await run(target, `systemctl show ${target.service} --property=${UNIT_PROPERTIES}`, limits, signal);
  return answer.ok && answer.exitCode === 0 ? cleanRemoteLines(answer.stdout, LONGEST_UNIT_TEXT) : '';
}

function parseUnit(text: string): UnitFacts {
  const read = (name: string): string => cleanRemoteText(new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? '', 40);
  return {
    loadState: read('LoadState'),
    subState: read('SubState'),
    result: read('Result'),
    invocationId: read('InvocationID'),
  };
}

const JOURNAL_LINES = 50;
const LONGEST_JOURNAL = 16 * 1024;

/**
 * The last lines of the unit's journal, clean, 16 KiB at most: a restart pushes them away. Empty where the account may
 * not read them: that is no reason not to heal.
 */
export async function readJournalTail(target: VpsTarget, limits: SSHLimits, signal?: AbortSignal): Promise<string> {
  const read = `journalctl --unit=${target.service} --lines=${JOURNAL_LINES} --no-pager --quiet --output=short-iso`;
  // sudo, if it lets us; else the login may be a member of systemd-journal. Cut there, as lines can be of any length;
  // one byte more than is kept shows that it was cut.
  const command = `(sudo -n ${read} || ${read}) 2>/dev/null | tail -c ${LONGEST_JOURNAL + 1}`;
  const answer = await run(target, command, limits, signal);
  return answer.ok && answer.exitCode === 0 ? cleanRemoteLines(answer.stdout, LONGEST_JOURNAL) : '';
}

/**
 * Restarts the service and says whether it is active a settle time afterwards: a unit of `Type=simple` counts as
 * started even when it dies at once. `resetFailed` first forgives systemd's own start limit. When the connection breaks
 * after the command was sent, the look afterwards decides. `before` is what the probe has read of the unit; with it, the
 * start limit is recognised behind other words, too. `signal` ends the waiting, not the command on the host.
 */
export async function restartRachelService(
  target: VpsTarget,
  limits: SSHLimits,
  {
    resetFailed = false,
    before = null,
    signal,
  }: { readonly resetFailed?: boolean; readonly before?: UnitFacts | null; readonly signal?: AbortSignal } = {},
): Promise<RestartOutcome> {
  // Its failure is no reason not to try: most units have nothing to forgive.
  if (resetFailed) await run(target, `sudo systemctl reset-failed ${target.service}`, limits, signal);
  const answer = await run(target, `sudo systemctl restart ${target.service}`, limits, signal, limits.restartTimeoutMs);
  if (answer.ok && answer.exitCode !== 0) {
    const said = answer.stderr || answer.stdout;
    const neverStarted = JOB_FAILED.test(said) && (await isSameInvocation(before, target, limits, signal));
    return describeFailedRestart(answer.exitCode, said, { service: target.service, neverStarted });
  }
  if (!answer.ok && !answer.sent)
    return { outcome: 'not_sent', code: answer.code, message: `the restart could not be sent: ${answer.message}` };
  const sent = answer.ok ? 'restarted' : `restart sent, then ${answer.message}`;
  try {
    await sleep(limits.restartSettleMs, undefined, { signal });
  } catch {
    return { outcome: 'interrupted', message: `${sent}; the monitor was stopped before it could look again` };
  }
  const { result } = await probeService(target, limits, signal);
  switch (result.kind) {
    case 'state': {
      if (isUp(result.activeState, result.exitCode)) return { outcome: 'succeeded' };
      const seen = `${limits.restartSettleMs / 1000} s later the service was ${describeState(result.activeState, result.unit)}`;
      if (!answer.ok && result.activeState === 'activating')
        return { outcome: 'still_starting', message: `${sent}; ${seen}` };
      const code = result.unit?.result === 'start-limit-hit' ? 'start_limit' : 'restart_failed';
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
async function isSameInvocation(
  before: UnitFacts | null,
  target: VpsTarget,
  limits: SSHLimits,
  signal?: AbortSignal,
): Promise<boolean> {
  if (!before?.invocationId) return false;
  return parseUnit(await readUnit(target, limits, signal)).invocationId === before.invocationId;
}

function describeFailedRestart(
  exitCode: number,
  said: string,
  { service, neverStarted }: { readonly service: string; readonly neverStarted: boolean },
): RestartOutcome {
  const text = cleanRemoteText(said);
  if (SUDO_REFUSAL.test(said))
    return { outcome: 'failed', code: 'sudo_refused', message: `restart not permitted: ${text}` };
  // Where the account may not read what the unit is, the refusal tells.
  if (UNIT_MISSING.test(said))
    return { outcome: 'failed', code: 'unit_missing', message: `the service is not installed on the VPS: ${text}` };
  if (UNIT_MASKED.test(said))
    return { outcome: 'failed', code: 'unit_masked', message: `the service is masked on the VPS: ${text}` };
  if (neverStarted || START_LIMIT.test(said))
    return {
      outcome: 'failed',
      code: 'start_limit',
      message: `restart refused by systemd's start limit: ${service} was started too often in a short time`,
    };
  return {
    outcome: 'failed',
    code: 'restart_failed',
    message: `restart failed with exit code ${exitCode}${text && `: ${text}`}`,
  };
}
