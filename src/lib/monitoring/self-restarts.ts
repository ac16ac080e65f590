import { and, desc, eq, gt } from 'drizzle-orm';
import type { App } from '../app.ts';
import { write } from '../db/client.ts';
import { appendJournal } from '../db/journal-store.ts';
import type { Tenure } from '../db/lease.ts';
import { healthChecks, healthEvents } from '../db/schema.ts';
import { count } from '../facts/time-words.ts';
import { publish } from '../live/bus.ts';
import { announceIn } from '../notifications/announcer.ts';
import { findActive } from './fleet.ts';
import { openIncidentOf } from './incident-store.ts';
import { judgeSelfRestarts, loopWindowStart } from './rules/self-restarts.ts';
import { stateOfRow } from './rules/transition.ts';
import { assertTenure } from './tenure.ts';
import { vpsFacts } from './vps-facts.ts';

/**
 * Writes down that systemd itself has restarted the service of a VPS so often since it was last asked. That is no failure;
 * where it does not stop, admins are told once. Throws `LeaseLostError`.
 */
export const noteSelfRestarts = (
  { db, settings }: App,
  tenure: Tenure,
  { vpsId, restarts }: { readonly vpsId: string; readonly restarts: number },
  at: Date,
): Promise<void> =>
  write(db, (tx) => {
    assertTenure(tx, tenure);
    const subscription = findActive(tx, vpsId);
    if (!subscription) return;
    const { userId } = subscription;
    const lately = tx
      .select({ at: healthEvents.at, detail: healthEvents.detail })
      .from(healthEvents)
      .where(
        and(
          eq(healthEvents.userId, userId),
          eq(healthEvents.kind, 'systemd_restarted'),
          gt(healthEvents.at, loopWindowStart(at)),
        ),
      )
      .orderBy(desc(healthEvents.at))
      .all()
      .map((entry) => ({
        at: entry.at,
        restarts: Number(entry.detail.restarts ?? 0),
        isLoop: entry.detail.isLoop === true,
      }));
    const { isLoop, isNew, counted } = judgeSelfRestarts(restarts, lately);
    const incident = openIncidentOf(tx, userId) ?? null;
    const detail = { restarts, isLoop };
    const whose = { userId, vpsId, incidentId: incident?.id ?? null };
    appendJournal(tx, [{ at, kind: 'systemd_restarted', ...whose, actor: 'monitor', detail }]);
    publish(tx, { kind: 'vps', vpsIds: [vpsId] });
    if (!isNew) return;
    const state = stateOfRow(tx.select().from(healthChecks).where(eq(healthChecks.userId, userId)).get());
    const facts = vpsFacts(tx, subscription, state, { at, incident, settings });
    const error = `systemd itself has restarted it ${count(counted, 'time')} within 30 minutes`;
    announceIn(tx, [{ kind: 'kept_alive', audience: 'admin', occurrence: String(at.getTime()) }], {
      userId,
      incident,
      at,
      facts: { ...facts, error, cause: null },
    });
  });
