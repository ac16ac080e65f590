import type { App } from '../app.ts';
import { DecryptionError, decryptToken, privateKeyPlace } from '../crypto/encryption.ts';
import type { Subscription } from '../db/schema.ts';
import type { Log } from '../jobs/log.ts';
import { parsePrivateKey } from '../provisioning/private-key.ts';
import { SSHCommandError } from '../provisioning/ssh-failure.ts';
import { probeService, restartRachelService, type VpsTarget } from '../provisioning/vps-status.ts';
import { listRestarts, type DueVps } from './fleet.ts';
import { decideHealing, type Healing } from './healing.ts';
import { recordRestartIntent, type CheckRecord } from './health-store.ts';
import { attemptingRestart } from './log-lines.ts';
import type { Check } from './transition.ts';
import { judge, type Cause, type Verdict } from './verdict.ts';

/** Ends what is under way when the monitor stops: looking at once, a restart only after some patience. */
export type StopSignals = { readonly probes: AbortSignal; readonly restarts: AbortSignal };

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

/** Looks at one VPS, restarts its service if that is called for and allowed, and gives what is to be recorded. */
export async function checkVps(
  app: App,
  { subscription, state }: DueVps,
  stop: StopSignals,
  log: Log,
): Promise<CheckRecord> {
  const { userId, id: subscriptionId } = subscription;
  const maintenance = subscription.maintenanceSince !== null;
  const target = openTarget(app, subscription);
  if ('kind' in target) {
    const check: Check = { at: new Date(), verdict: target, healing: NONE, maintenance, probeMs: null };
    return { userId, subscriptionId, check, hostKey: null, restartId: null };
  }

  const probe = await probeService(target, app.settings, stop.probes);
  const at = new Date();
  const verdict = judge(probe.result, { graceUsed: state.transitionalSince !== null });
  const record = { userId, subscriptionId, hostKey: probe.hostKey };
  const check = { at, verdict, maintenance, probeMs: probe.hostKey === null ? null : probe.durationMs };

  const { breaker, restartBudget } = app.settings;
  const since = Math.min(at.getTime() - restartBudget.windowMs, state.circuitOpenedAt?.getTime() ?? Infinity);
  const facts = { now: at, restarts: listRestarts(app.db, userId, new Date(since)), maintenance };
  const decision = decideHealing(verdict, state, facts, { breaker, restartBudget });
  if (decision.action === 'none') return { ...record, check: { ...check, healing: decision }, restartId: null };
  if (stop.probes.aborted) return { ...record, check: { ...check, verdict: STOPPING, healing: NONE }, restartId: null };

  const intent = await recordRestartIntent(app.db, userId, subscriptionId, at);
  if (!intent.granted) {
    const healing: Healing = { action: 'none', reason: 'maintenance' };
    return { ...record, check: { ...check, healing }, restartId: null };
  }
  log.info(attemptingRestart(userId, state, decision.trial));
  const outcome = await restartRachelService({ ...target, hostKey: probe.hostKey }, app.settings, {
    // systemd's own start limit is a protection: only the one trial per cooldown may lift it.
    resetFailed: decision.trial,
    before: probe.result.kind === 'state' ? probe.result.unit : null,
    signal: stop.restarts,
  });
  // The time of the end: what a restart leads to (healthy, a circuit opened) is true from now, not from the probe.
  return {
    ...record,
    check: { ...check, at: new Date(), healing: { ...decision, outcome } },
    restartId: intent.restartId,
  };
}

const NONE: Healing = { action: 'none', reason: 'not_called_for' };
const STOPPING: Verdict = { kind: 'inconclusive', cause: 'aborted', message: 'the monitor is stopping' };
