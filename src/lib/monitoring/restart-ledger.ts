import { and, between, desc, eq, isNotNull, isNull, ne, or, sql } from 'drizzle-orm';
import { write, type Database, type Transaction } from '../db/client.ts';
import { prepared } from '../db/prepared.ts';
import { healthChecks, newId, restartAttempts, restartEvidence } from '../db/schema.ts';
import { CLOCK_SLACK_MS } from '../facts/clock-jump.ts';
import type { JournalActor } from '../facts/journal.ts';
import type { HealthState, LostRestart, RestartEnd } from './rules/transition.ts';
import { isUnseen } from './rules/verdict.ts';

/** After that, an order without an end is one whose process has died. */
const ORDER_LASTS_MS = 5 * 60_000;

/** Whether a restart that was asked for by hand, of whatever process, has not ended yet. */
export const isRestartOrdered = (tx: Transaction, userId: string, now: Date): boolean =>
  tx
    .select()
    .from(restartAttempts)
    .where(
      and(
        eq(restartAttempts.userId, userId),
        between(
          restartAttempts.intendedAt,
          new Date(now.getTime() - ORDER_LASTS_MS),
          new Date(now.getTime() + CLOCK_SLACK_MS),
        ),
        isNotNull(restartAttempts.requestedBy),
        isNull(restartAttempts.outcome),
      ),
    )
    .get() !== undefined;

/** Writes down that an admin has asked for a restart, before anything is done about it. Gives its place in the ledger. */
export function orderRestart(tx: Transaction, userId: string, requestedBy: JournalActor, at: Date): string {
  const restartId = newId('restart');
  tx.insert(restartAttempts).values({ id: restartId, userId, intendedAt: at, requestedBy }).run();
  return restartId;
}

/**
 * Closes the order of a restart that has come to no end: it was never sent, or nobody knows what became of it. One whose
 * start goes on stays open, as in `closeLedger`.
 */
export const closeOrder = (db: Database, restartId: string, whyNot: string): Promise<unknown> =>
  write(db, (tx) => {
    const evidence = tx.select().from(restartEvidence).where(eq(restartEvidence.restartId, restartId)).get();
    const sent = evidence !== undefined;
    if (sent && isStartWaitedFor(tx, restartId)) return undefined;
    return tx
      .update(restartAttempts)
      .set({ finishedAt: new Date(), outcome: sent ? 'unknown' : 'not_sent', detail: whyNot })
      .where(and(eq(restartAttempts.id, restartId), isNull(restartAttempts.outcome)))
      .run();
  });

const isStartWaitedFor = (tx: Transaction, restartId: string): boolean =>
  tx
    .select({ id: restartAttempts.id })
    .from(restartAttempts)
    .innerJoin(healthChecks, eq(healthChecks.userId, restartAttempts.userId))
    .where(and(eq(restartAttempts.id, restartId), isNotNull(healthChecks.startingSince)))
    .get() !== undefined;

/** Writes down how a restart has ended. One that was cut off, or whose start goes on, stays open: the next look closes it. */
export function closeLedger(
  tx: Transaction,
  { restartId, end }: { readonly restartId: string; readonly end: Pick<RestartEnd, 'at' | 'outcome'> },
): void {
  const { outcome } = end;
  if (outcome.outcome === 'interrupted' || outcome.outcome === 'still_starting' || isUnseen(outcome)) return;
  tx.update(restartAttempts)
    .set({
      finishedAt: end.at,
      outcome: outcome.outcome,
      detail: outcome.outcome === 'succeeded' ? null : outcome.message,
    })
    .where(eq(restartAttempts.id, restartId))
    .run();
}

export type LostEntry = LostRestart & { readonly restartId: string };

/** The last restart of this VPS, if it was sent and nobody has seen how it ended. Null: there is none. */
export function findLostRestart(tx: Transaction, userId: string, { circuitState }: HealthState): LostEntry | null {
  const last = lastSent(tx.database).get({ userId });
  // Without evidence it is the order of an admin that was not sent yet.
  if (!last || last.evidence === null || (last.outcome !== null && last.outcome !== 'unknown')) return null;
  return { restartId: last.id, trial: circuitState !== 'closed', counted: last.outcome === 'unknown' };
}

const lastSent = prepared((db) =>
  db
    .select({ id: restartAttempts.id, outcome: restartAttempts.outcome, evidence: restartEvidence.restartId })
    .from(restartAttempts)
    .leftJoin(restartEvidence, eq(restartEvidence.restartId, restartAttempts.id))
    .where(
      and(
        eq(restartAttempts.userId, sql.placeholder('userId')),
        or(isNull(restartAttempts.outcome), ne(restartAttempts.outcome, 'not_sent')),
      ),
    )
    .orderBy(desc(restartAttempts.intendedAt))
    .limit(1)
    .prepare(),
);

/** Closes what was lost by what the next look has seen. */
export const closeLost = (tx: Transaction, { restartId }: LostEntry, outcome: 'succeeded' | 'failed'): void => {
  tx.update(restartAttempts)
    .set({ finishedAt: new Date(), outcome, detail: 'its end was not seen; this is what the next look found' })
    .where(eq(restartAttempts.id, restartId))
    .run();
};
