import { and, eq, gt, isNull, or, sql } from 'drizzle-orm';
import { chunksOf } from '../db/chunks.ts';
import type { Transaction } from '../db/client.ts';
import { prepared } from '../db/prepared.ts';
import { maintenanceWindows, newId, type MaintenanceWindow } from '../db/schema.ts';
import { maintenanceAt } from './rules/maintenance.ts';

/** Opens windows as `maintenance-request.ts` has read them. */
export function addWindows(tx: Transaction, windows: readonly Omit<MaintenanceWindow, 'id' | 'createdAt'>[]): void {
  for (const chunk of chunksOf(windows))
    tx.insert(maintenanceWindows)
      .values(chunk.map((window) => ({ id: newId('window'), ...window })))
      .run();
}

/**
 * Ends, at `at`, every window of this user that is open then; of a weekly one, the occurrence that is open. Returns how
 * many those were.
 */
export function endOpenWindows(tx: Transaction, userId: string, at: Date): number {
  const { changes } = tx
    .update(maintenanceWindows)
    .set({ endsAt: at })
    .where(
      and(
        eq(maintenanceWindows.userId, userId),
        or(eq(maintenanceWindows.kind, 'once'), eq(maintenanceWindows.kind, 'until_healthy')),
        or(isNull(maintenanceWindows.endsAt), gt(maintenanceWindows.endsAt, at)),
      ),
    )
    .run();
  const weekly = and(eq(maintenanceWindows.userId, userId), eq(maintenanceWindows.kind, 'weekly'));
  const open = tx
    .select()
    .from(maintenanceWindows)
    .where(weekly)
    .all()
    .flatMap((window) => maintenanceAt([window], at) ?? []);
  for (const { windowId, since } of open)
    tx.update(maintenanceWindows).set({ endedOccurrence: since }).where(eq(maintenanceWindows.id, windowId)).run();
  return changes + open.length;
}

/** Maintenance "until the next healthy check" has found that check. */
export const endWindowsUntilHealthy = ({ database }: Transaction, userId: string, at: Date): void => {
  endUntilHealthy(database).run({ userId, at: at.getTime() });
};

const endUntilHealthy = prepared((db) =>
  db
    .update(maintenanceWindows)
    .set({ endsAt: sql`${sql.placeholder('at')}` })
    .where(
      and(
        eq(maintenanceWindows.userId, sql.placeholder('userId')),
        eq(maintenanceWindows.kind, 'until_healthy'),
        isNull(maintenanceWindows.endsAt),
      ),
    )
    .prepare(),
);
