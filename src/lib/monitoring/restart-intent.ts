import { eq } from 'drizzle-orm';
import { write, type Database, type Transaction } from '../db/client.ts';
import { appendJournal } from '../db/journal-store.ts';
import type { Tenure } from '../db/lease.ts';
import { newId, restartAttempts, restartEvidence, type Subscription } from '../db/schema.ts';
import { readMaintenance } from './fleet.ts';
import {
  findUnchanged,
  noteRestartAttempt,
  recordLook,
  type LookRecord,
  type Recorded,
  type RecordSettings,
} from './health-store.ts';
import { readMonitorState } from './monitor-state.ts';
import type { HealingDecision } from './rules/healing.ts';
import { assertTenure } from './tenure.ts';

/** What the host said of its unit right before; a restart wipes it out. Clean text of a remote host. */
export type Evidence = { readonly unitText: string; readonly journal: string };

/** `recorded` null: the VPS is not watched any more, is another machine now, or something newer is known of it. */
export type Intent = { readonly restartId: string | null; readonly recorded: Recorded | null };

type Context = { readonly tenure: Tenure; readonly settings: RecordSettings };

/**
 * Writes down a failed look together with the restart that is about to be sent and the evidence that it will wipe out,
 * so that a crash of this program can hide none of them; right before, looks once more whether it is still wanted.
 * Without a `restartId` none is to be sent, and the look is written with the reason. Throws `LeaseLostError`.
 */
export const recordRestartIntent = (
  db: Database,
  look: LookRecord,
  evidence: Evidence,
  { tenure, settings }: Context,
): Promise<Intent> =>
  write(db, (tx): Intent => {
    assertTenure(tx, tenure);
    const subscription = findUnchanged(tx, look.subscriptionId, look.target);
    if (!subscription) return { restartId: null, recorded: null };
    const healing = stillWanted(tx, look.check.healing, subscription);
    const recorded = recordLook(tx, { ...look, check: { ...look.check, healing } }, subscription, settings) ?? null;
    if (recorded?.healing.action !== 'restart') return { restartId: null, recorded };
    const restartId = newId('restart');
    const { userId, subscriptionId: vpsId, check } = look;
    const incidentId = recorded.incident?.id ?? null;
    tx.insert(restartAttempts).values({ id: restartId, userId, incidentId, intendedAt: check.lookedAt }).run();
    noteBeginning(tx, { restartId, userId, vpsId, incidentId }, evidence, {
      kind: recorded.healing.trial ? 'trial_began' : 'restart_intended',
      lookedAt: check.lookedAt,
      actor: 'monitor',
    });
    return { restartId, recorded };
  });

function stillWanted(tx: Transaction, healing: HealingDecision, subscription: Subscription): HealingDecision {
  const none = (reason: Extract<HealingDecision, { action: 'none' }>['reason']): HealingDecision => ({
    action: 'none',
    reason,
  });
  const { healing: fleetWide } = readMonitorState(tx);
  if (subscription.healingPausedSince !== null) return none('vps_paused');
  if (fleetWide !== 'on') return none(`healing_${fleetWide}`);
  if (readMaintenance(tx, subscription.userId, new Date()) !== null) return none('maintenance');
  return healing;
}

/**
 * The same for a restart that an admin has asked for (`restartId` in the ledger): neither maintenance nor the circuit
 * stands in its way. Without `recorded`, nothing is to be sent. Throws `LeaseLostError`.
 */
export const recordRequestedRestart = (
  db: Database,
  { restartId, look }: { readonly restartId: string; readonly look: LookRecord },
  evidence: Evidence,
  { tenure, settings }: Context,
): Promise<Recorded | null> =>
  write(db, (tx) => {
    assertTenure(tx, tenure);
    const order = tx.select().from(restartAttempts).where(eq(restartAttempts.id, restartId)).get();
    const subscription = findUnchanged(tx, look.subscriptionId, look.target);
    if (!order || !subscription) return null;
    const { userId, subscriptionId: vpsId, check } = look;
    const recorded = recordLook(tx, look, subscription, settings);
    if (!recorded) return null;
    const incidentId = recorded.incident?.endedAt === null ? recorded.incident.id : null;
    tx.update(restartAttempts).set({ incidentId }).where(eq(restartAttempts.id, restartId)).run();
    noteBeginning(tx, { restartId, userId, vpsId, incidentId }, evidence, {
      kind: 'restart_intended',
      lookedAt: check.lookedAt,
      actor: order.requestedBy ?? 'monitor',
    });
    return recorded;
  });

type Whose = {
  readonly restartId: string;
  readonly userId: string;
  readonly vpsId: string;
  readonly incidentId: string | null;
};

function noteBeginning(
  tx: Transaction,
  { restartId, ...whose }: Whose,
  { unitText, journal }: Evidence,
  { kind, lookedAt, actor }: { kind: 'trial_began' | 'restart_intended'; lookedAt: Date; actor: string },
): void {
  const at = new Date();
  tx.insert(restartEvidence).values({ restartId, takenAt: at, unit: unitText, journal }).run();
  noteRestartAttempt(tx, whose.userId, lookedAt);
  appendJournal(tx, [{ at, kind, actor, ...whose, detail: { restartId } }]);
}
