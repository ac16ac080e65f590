import { and, eq, isNull } from 'drizzle-orm';
import type { App } from '../app.ts';
import { adminName, type Actor } from '../auth/actor.ts';
import { write } from '../db/client.ts';
import { incidents } from '../db/schema.ts';
import { appendJournal } from '../db/journal-store.ts';
import { RefusedError } from './the-vps.ts';

/**
 * Says that somebody sees to an incident: no more reminders until it ends; the recovery is told all the same. A second
 * time changes nothing. Throws `RefusedError` for an incident that has ended, or is none. Throws when
 * a customer asks: no page lets it come to that.
 */
export const acknowledgeIncident = ({ db }: App, actor: Actor, id: string, at: Date): Promise<void> =>
  write(db, (tx) => {
    const by = adminName(actor);
    const incident = tx.select().from(incidents).where(eq(incidents.id, id)).get();
    if (!incident)
      throw new RefusedError(`there is no incident ${JSON.stringify(id)}; "wardround incidents list" shows them`);
    if (incident.endedAt !== null) throw new RefusedError(`the incident ${id} has ended already`);
    const { changes } = tx
      .update(incidents)
      .set({ acknowledgedAt: at, acknowledgedBy: by })
      .where(and(eq(incidents.id, id), isNull(incidents.acknowledgedAt)))
      .run();
    if (changes === 0) return;
    const { userId, vpsId } = incident;
    const detail = { action: 'incident_acknowledged' };
    appendJournal(tx, [{ at, kind: 'admin_action', userId, vpsId, incidentId: id, actor: by, detail }]);
  });
