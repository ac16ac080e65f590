import type { App } from '../app.ts';
import { DecryptionError, decryptToken, privateKeyPlace } from '../crypto/encryption.ts';
import type { Subscription } from '../db/schema.ts';
import type { Log } from '../log.ts';
import { parsePrivateKey } from '../provisioning/private-key.ts';
import { SSHCommandError } from '../provisioning/ssh-failure.ts';
import type { UnitFacts } from '../facts/unit-state.ts';
import { probeService, readJournalTail, restartRachelService, type VpsTarget } from '../provisioning/vps-status.ts';
import { listRestarts, type DueVps } from './fleet.ts';
import { decideHealing, type Healing, type HealingDecision } from './rules/healing.ts';
import { recordRequestedRestart, recordRestartIntent, targetOf, type CheckRecord } from './health-store.ts';
import { attemptingRestart } from './rules/log-lines.ts';
import { maintenanceAt } from './rules/maintenance.ts';
import type { StallWatch } from './stall-watch.ts';
import type { Check } from './rules/transition.ts';
import { judge, judgeRequestedRestart, type Cause, type Verdict } from './rules/verdict.ts';

/** Ends what is under way when the monitor stops: looking at once, a restart only after some patience. */
export type StopSignals = { readonly probes: AbortSignal; readonly restarts: AbortSignal };

/** What a look at one VPS has found, before anything is done about it. */
export type Look = {
  readonly vps: DueVps;
  readonly check: Omit<Check, 'healing'>;
  /** Where to go on, with the key that this host has shown; null when it came to no login. */
  readonly target: VpsTarget | null;
  readonly hostKey: string | null;
  readonly unitText: string;
  /** The same, read; null where nothing is known. */
  readonly unit: UnitFacts | null;
  /** What is called for and allowed for this VPS by itself; the sweep may hold it back. */
  readonly decision: HealingDecision;
};

/**
 * Where to log in for this subscription. A secret that does not open or an address that is none is our own fault, not
 * the host's, and comes back as an inconclusive verdict.
 */
export function openTarget(
  app: App,
  subscription: Subscription,
): VpsTarget | Extract<Verdict, { kind: 'inconclusive' }> {
  const inconclusive = (cause: Cause, message: string) => ({ kind: 'inconclusive', cause, message }) as const;
  const { vpsIpAddress, sshPrivateKey, serviceName } = subscription;
  if (!vpsIpAddress) return inconclusive('target_invalid', 'no address is stored for this VPS');
  if (!sshPrivateKey) return inconclusive('key_unreadable', 'no private key is stored for this VPS');
  try {
    return {
      host: vpsIpAddress,
      port: subscription.sshPort,
      username: subscription.sshUser,
      privateKey: parsePrivateKey(decryptToken(sshPrivateKey, privateKeyPlace(subscription.id), app.encryptionKey)),
      hostKey: subscription.sshHostKey,
      service: serviceName ?? app.settings.monitoredService,
    };
  } catch (error) {
    if (error instanceof DecryptionError)
      return inconclusive('key_unreadable', `the private key cannot be read: ${error.message}`);
    if (error instanceof SSHCommandError) return inconclusive(error.code, error.message);
    throw error;
  }
}

const NONE: HealingDecision = { action: 'none', reason: 'not_called_for' };
const STOPPING: Verdict = { kind: 'inconclusive', cause: 'aborted', message: 'the monitor is stopping' };
const STALLED: Verdict = {
  kind: 'inconclusive',
  cause: 'stalled',
  message: 'the monitor itself stood still meanwhile, so the silence says nothing',
};

/** Looks at one VPS and says what is called for. Changes nothing, there or here. */
export async function lookAtVps(
  app: App,
  vps: DueVps,
  { stop, stalls }: { readonly stop: StopSignals; readonly stalls: StallWatch },
): Promise<Look> {
  const { subscription, state, windows } = vps;
  const target = openTarget(app, subscription);
  if ('kind' in target) {
    const now = new Date();
    const maintenance = maintenanceAt(windows, now) !== null;
    const check = { lookedAt: now, at: now, verdict: target, maintenance, probeMs: null };
    return { vps, check, target: null, hostKey: null, unitText: '', unit: null, decision: NONE };
  }

  const startMs = performance.now();
  const { result, durationMs, hostKey, unitText } = await probeService(target, app.settings, stop.probes);
  const unit = result.kind === 'state' ? result.unit : null;
  const now = new Date();
  const judged = judge(result, { graceUsed: state.transitionalSince !== null });
  const verdict = judged.kind === 'unreachable' && stalls.stalledSince(startMs) ? STALLED : judged;
  const maintenance = maintenanceAt(windows, now) !== null;
  const check = { lookedAt: now, at: now, verdict, maintenance, probeMs: hostKey === null ? null : durationMs };

  const { breaker, restartBudget } = app.settings;
  const needed = Math.min(now.getTime() - restartBudget.windowMs, state.circuitOpenedAt?.getTime() ?? Infinity);
  const since = new Date(Math.max(needed, state.circuitResetAt?.getTime() ?? 0));
  const restarts = listRestarts(app.db, subscription.userId, since);
  const facts = { now, restarts, maintenance, paused: subscription.healingPausedSince !== null };
  const decision = decideHealing(verdict, state, facts, { breaker, restartBudget });
  return { vps, check, target: hostKey === null ? null : { ...target, hostKey }, hostKey, unitText, unit, decision };
}

/** A look as it is to be recorded, together with what was done about it. */
export const toRecord = (
  { vps, check, hostKey }: Look,
  healing: Healing,
  { at = check.at, restartId = null }: { readonly at?: Date; readonly restartId?: string | null } = {},
): CheckRecord => ({
  userId: vps.subscription.userId,
  subscriptionId: vps.subscription.id,
  target: targetOf(vps.subscription),
  check: { ...check, at, healing },
  hostKey,
  restartId,
});

/** The same look, with another verdict: for what only the whole sweep can know. */
export const withVerdict = (look: Look, verdict: Verdict): Look => ({ ...look, check: { ...look.check, verdict } });

/** Restarts the service of a VPS for which that is called for, and gives what is to be recorded. */
export async function healVps(
  app: App,
  look: Look,
  { trial, stop, log }: { readonly trial: boolean; readonly stop: StopSignals; readonly log: Log },
): Promise<CheckRecord> {
  const { target, vps, check, unitText, unit } = look;
  if (target === null || stop.probes.aborted)
    return toRecord(withVerdict(look, STOPPING), { action: 'none', reason: 'not_called_for' });
  const { userId, id: vpsId } = vps.subscription;
  const journal = await readJournalTail(target, app.settings, stop.probes);
  const { verdict, lookedAt } = check;
  const facts = { target: targetOf(vps.subscription), verdict, lookedAt, trial, unitText, journal };
  const intent = await recordRestartIntent(app.db, { userId, vpsId }, facts);
  if (!intent.granted) {
    // One that is not active any more, or was edited, is passed over when it is recorded.
    const reason = intent.reason === 'not_active' ? 'not_called_for' : intent.reason;
    return toRecord(look, { action: 'none', reason });
  }
  log.info(attemptingRestart(userId, vps.state, trial));
  const outcome = await restartRachelService(target, app.settings, {
    // systemd's own start limit is a protection: only the one trial per cooldown may lift it.
    resetFailed: trial,
    before: unit,
    signal: stop.restarts,
  });
  // The time of the end: what a restart leads to (healthy, a circuit opened) is true from now, not from the look.
  return toRecord(look, { action: 'restart', trial, outcome }, { at: new Date(), restartId: intent.restartId });
}

/**
 * Restarts the service because an admin has asked for it (`restartId` in the ledger), whatever the look has found; SSH
 * has to work. Gives what is to be recorded.
 */
export async function restartOnRequest(
  app: App,
  look: Look & { readonly target: VpsTarget },
  { restartId, stop, log }: { readonly restartId: string; readonly stop: StopSignals; readonly log: Log },
): Promise<CheckRecord> {
  const { target, vps, check, unitText, unit } = look;
  const { userId, id: vpsId } = vps.subscription;
  const { verdict, lookedAt, maintenance } = check;
  const journal = await readJournalTail(target, app.settings, stop.probes);
  const facts = { target: targetOf(vps.subscription), verdict, lookedAt, unitText, journal };
  if (!(await recordRequestedRestart(app.db, { userId, vpsId }, restartId, facts)))
    return toRecord(look, { action: 'none', reason: 'not_called_for' });
  log.info(`${userId}: an admin has asked for a restart, sending it`);
  // Whoever asks for it by hand means it: systemd's own start limit is lifted.
  const options = { resetFailed: true, before: unit, signal: stop.restarts };
  const outcome = await restartRachelService(target, app.settings, options);
  const judged = withVerdict(look, judgeRequestedRestart(verdict, outcome, maintenance));
  return toRecord(judged, { action: 'restart', trial: true, outcome }, { at: new Date(), restartId });
}
