import { and, eq, inArray } from 'drizzle-orm';
import { write, type Database } from '../db/client.ts';
import { notifications, type NotificationRow } from '../db/schema.ts';
import type { SendResult } from '../facts/delivery.ts';
import { noteResult } from './delivery-troubles.ts';
import type { Claimed } from './outbox.ts';
import { isGivenUp, nextAttemptAt } from './rules/delivery-plan.ts';

/** What an attempt came to; `failed` also for what could not even be tried. */
export type Outcome = SendResult | { readonly outcome: 'failed'; readonly reason: string };
export type Recorded = {
  readonly status: 'sent' | 'pending' | 'failed';
  /** The target refuses for good, so nothing more is sent there. */
  readonly switchedOff: boolean;
};

/**
 * Writes down what became of a claimed message, and what that tells of the way it went. Where another process has taken
 * the lead meanwhile and put the message back, it still counts, unless that one is sending it already.
 */
export function record(
  db: Database,
  { row }: Claimed,
  outcome: Outcome,
  { nowMs, random, isShared }: { readonly nowMs: number; readonly random: number; readonly isShared: boolean },
): Promise<Recorded> {
  const change = changeFor(row, outcome, nowMs, random);
  return write(db, (tx) => {
    const { changes } = tx
      .update(notifications)
      .set({ claimedBy: null, ...change })
      .where(
        and(
          eq(notifications.id, row.id),
          eq(notifications.attempts, row.attempts),
          inArray(notifications.status, ['sending', 'pending']),
        ),
      )
      .run();
    const isNews = changes > 0 && outcome.outcome !== 'failed';
    const switchedOff = isNews && noteResult(tx, row, outcome, { isShared, now: new Date(nowMs) });
    return { status: change.status, switchedOff };
  });
}

function changeFor(row: NotificationRow, outcome: Outcome, nowMs: number, random: number) {
  if (outcome.outcome === 'sent') return { status: 'sent' as const, sentAt: new Date(nowMs), lastError: null };
  if (outcome.outcome !== 'retry') return { status: 'failed' as const, lastError: outcome.reason };
  // Once it may have arrived, no later failure makes that untrue.
  const told = { mayHaveArrived: row.mayHaveArrived || outcome.mayHaveArrived === true, lastError: outcome.reason };
  if (isGivenUp(row.createdAt.getTime(), nowMs)) return { status: 'failed' as const, ...told };
  const nextMs = nextAttemptAt(row.attempts, nowMs, random, outcome.retryAfterMs);
  return { status: 'pending' as const, ...told, nextAttemptAt: new Date(nextMs) };
}
