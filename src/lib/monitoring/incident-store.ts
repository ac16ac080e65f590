import { and, eq, isNull, ne, or, sql } from 'drizzle-orm';
import type { Transaction } from '../db/client.ts';
import { prepared } from '../db/prepared.ts';
import { incidents, newId, restartAttempts, type Incident } from '../db/schema.ts';
import type { IncidentState } from './rules/incident.ts';

/** Whose incident it is: a customer, and the machine the customer had at the time. */
export type IncidentOwner = { readonly userId: string; readonly vpsId: string };

export const openIncidentOf = ({ database }: Transaction, userId: string): Incident | undefined =>
  openRow(database).get({ userId });

const openRow = prepared((db) =>
  db
    .select()
    .from(incidents)
    .where(and(eq(incidents.userId, sql.placeholder('userId')), isNull(incidents.endedAt)))
    .prepare(),
);

/** Writes the incident as it is now; gives it back with its identity. */
export function saveIncident(
  tx: Transaction,
  owner: IncidentOwner,
  open: Incident | undefined,
  state: IncidentState,
): Incident {
  const columns = {
    openedAt: state.openedAt,
    endedAt: state.endedAt,
    endedBy: state.endedBy,
    cause: state.cause,
    firstError: state.firstError,
    failedChecks: state.failedChecks,
    circuitOpenedAt: state.circuitOpenedAt,
  };
  if (open) return tx.update(incidents).set(columns).where(eq(incidents.id, open.id)).returning().get();
  return tx
    .insert(incidents)
    .values({ id: newId('incident'), ...owner, ...columns })
    .returning()
    .get();
}

/** Ends what is open of a VPS that is not watched any more: nobody will see it recover. */
export const endUnwatchedIncident = (tx: Transaction, userId: string, at: Date): void => {
  tx.update(incidents)
    .set({ endedAt: at, endedBy: 'not_watched' })
    .where(and(eq(incidents.userId, userId), isNull(incidents.endedAt)))
    .run();
};

/** How many restarts an incident has had; one that never reached its host is none. */
export const countRestarts = (tx: Transaction, incidentId: string): number =>
  tx
    .select({ count: sql<number>`count(*)` })
    .from(restartAttempts)
    .where(
      and(
        eq(restartAttempts.incidentId, incidentId),
        or(isNull(restartAttempts.outcome), ne(restartAttempts.outcome, 'not_sent')),
      ),
    )
    .get()?.count ?? 0;
