import type { App } from '../app.ts';
import { UNIT_NAME } from '../variables.ts';
import { DecryptionError, decryptToken, privateKeyPlace } from '../crypto/encryption.ts';
import type { Subscription } from '../db/schema.ts';
import { isOurFault, type OwnFault } from '../facts/cause.ts';
import type { UnitFacts } from '../facts/unit-state.ts';
import { count } from '../metrics/counting.ts';
import { parsePrivateKey } from '../provisioning/private-key.ts';
import { SSHCommandError } from '../provisioning/ssh-failure.ts';
import { VpsConnection, type VpsTarget } from '../provisioning/vps-connection.ts';
import { probeService } from '../provisioning/vps-status.ts';
import type { DueVps } from './fleet.ts';
import { decideHealing, type HealingDecision } from './rules/healing.ts';
import { maintenanceAt } from './rules/maintenance.ts';
import type { Check } from './rules/transition.ts';
import { judge, type Verdict } from './rules/verdict.ts';
import type { StallWatch } from './stall-watch.ts';

/** What a look at one VPS has found, before anything is done about it. */
export type Look = {
  readonly vps: DueVps;
  readonly check: Omit<Check, 'healing'>;
  /** When its answer came, by `performance.now()`: see `isStale`. */
  readonly answeredAtMs: number;
  /** Where to go on; still open if a restart may follow. Null when it came to no login. */
  readonly connection: VpsConnection | null;
  readonly hostKey: string | null;
  readonly unitText: string;
  /** The same, read; null where nothing is known. */
  readonly unit: UnitFacts | null;
  /** What is called for and allowed for this VPS by itself; the round may hold it back. */
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
  const inconclusive = (cause: OwnFault, message: string) => ({ kind: 'inconclusive', cause, message }) as const;
  const { vpsIpAddress, sshPrivateKey, serviceName } = subscription;
  if (!vpsIpAddress) return inconclusive('target_invalid', 'no address is stored for this VPS');
  if (!sshPrivateKey) return inconclusive('key_unreadable', 'no private key is stored for this VPS');
  const service = serviceName ?? app.settings.monitoredService;
  if (!UNIT_NAME.test(service)) return inconclusive('target_invalid', 'the stored service is no name of a unit');
  try {
    return {
      host: vpsIpAddress,
      port: subscription.sshPort,
      username: subscription.sshUser,
      privateKey: parsePrivateKey(decryptToken(sshPrivateKey, privateKeyPlace(subscription.id), app.encryptionKey)),
      hostKey: subscription.sshHostKey,
      service,
    };
  } catch (error) {
    if (error instanceof DecryptionError)
      return inconclusive('key_unreadable', `the private key cannot be read: ${error.message}`);
    if (error instanceof SSHCommandError && isOurFault(error.code)) return inconclusive(error.code, error.message);
    throw error;
  }
}

type Watch = {
  readonly signal: AbortSignal;
  readonly stalls: StallWatch;
  /** Whether a restart follows whatever the look finds. */
  readonly isRestartOrdered?: boolean;
  /** To the same VPS, to be used again. */
  readonly connection?: VpsConnection;
};

/** Nothing is done about a look that is older than this: the VPS is looked at again. */
const STALE_AFTER_MS = 5_000;

/** Whether this look says too little about now to act on it: it is old, or this process stood still since. */
export const isStale = ({ answeredAtMs }: Look, stalls: StallWatch): boolean =>
  performance.now() - answeredAtMs > STALE_AFTER_MS || stalls.stalledSince(answeredAtMs);

/**
 * Looks at one VPS and says what is called for. Changes nothing, there or here. Where a restart may follow, the connection
 * stays open for it, and whoever acts on the look closes it.
 */
export async function lookAtVps(app: App, vps: DueVps, watch: Watch): Promise<Look> {
  const beganAtMs = performance.now();
  const target = openTarget(app, vps.subscription);
  const look = 'kind' in target ? lookOf(app, vps, { verdict: target }) : await lookThere(app, vps, target, watch);
  const link = 'kind' in target ? 'none' : 'fresh';
  const durationMs = performance.now() - beganAtMs;
  count(app, { kind: 'look', link, outcome: look.check.verdict.kind, durationMs });
  return look;
}

async function lookThere(app: App, vps: DueVps, target: VpsTarget, watch: Watch): Promise<Look> {
  const connection = watch.connection ?? new VpsConnection(target, app.settings);
  let goesOn = false;
  try {
    // An answer that was read after a standstill may have lain there all the while.
    const look =
      (await askVps(app, vps, connection, watch)) ??
      (await askVps(app, vps, connection, watch)) ??
      stalledLook(app, vps);
    goesOn = look.connection !== null && (watch.isRestartOrdered === true || look.decision.action === 'restart');
    return look;
  } finally {
    if (!goesOn) await connection.close();
  }
}

const stalledLook = (app: App, vps: DueVps): Look =>
  lookOf(app, vps, {
    verdict: {
      kind: 'inconclusive',
      cause: 'stalled',
      message: 'the monitor itself stood still meanwhile, so what it saw says nothing',
    },
  });

/** Null: this process stood still in the middle of it. */
async function askVps(
  app: App,
  vps: DueVps,
  connection: VpsConnection,
  { signal, stalls }: Watch,
): Promise<Look | null> {
  const beganAtMs = performance.now();
  const { result, durationMs, hostKey, unitText } = await probeService(connection, signal);
  if (stalls.stalledSince(beganAtMs)) return null;
  const unit = result.kind === 'state' ? result.unit : null;
  const verdict = judge(result, { graceUsed: vps.state.transitionalSince !== null });
  if (hostKey === null) return lookOf(app, vps, { verdict });
  return lookOf(app, vps, { verdict, answer: { connection, hostKey, unitText, unit, durationMs } });
}

type Answer = {
  readonly connection: VpsConnection;
  readonly hostKey: string;
  readonly unitText: string;
  readonly unit: UnitFacts | null;
  readonly durationMs: number;
};

function lookOf(
  app: App,
  vps: DueVps,
  { verdict, answer }: { readonly verdict: Verdict; readonly answer?: Answer },
): Look {
  const { subscription, state, windows, restarts } = vps;
  const now = new Date();
  const maintenance = maintenanceAt(windows, now) !== null;
  const facts = { now, restarts, maintenance, paused: subscription.healingPausedSince !== null };
  return {
    vps,
    check: { lookedAt: now, verdict, maintenance, probeMs: answer?.durationMs ?? null },
    answeredAtMs: performance.now(),
    connection: answer?.connection ?? null,
    hostKey: answer?.hostKey ?? null,
    unitText: answer?.unitText ?? '',
    unit: answer?.unit ?? null,
    decision: decideHealing(verdict, state, facts, app.settings),
  };
}
