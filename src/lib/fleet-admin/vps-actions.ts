import { and, eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import { journalName, type Actor } from '../auth/actor.ts';
import { write, type Transaction } from '../db/client.ts';
import { maintenanceWindows, subscriptions, type Subscription } from '../db/schema.ts';
import type { JournalDetail } from '../facts/journal.ts';
import { noteAdminAction } from '../db/journal-store.ts';
import type { Log } from '../log.ts';
import { publish } from '../live/bus.ts';
import { resetCircuitOf } from '../monitoring/health-store.ts';
import { addWindows, endOpenWindows } from '../monitoring/maintenance-store.ts';
import { onDemandOf, type OnDemandEnd } from '../monitoring/on-demand.ts';
import { isRestartOrdered, orderRestart } from '../monitoring/restart-ledger.ts';
import type { BulkAction, BulkResult, MaintenanceLength } from '../views/bulk-words.ts';
import { inTerminal } from '../parsing/problems.ts';
import { parseMaintenance, REQUEST_OF, type NewWindow } from './maintenance-request.ts';
import { meantBy, RefusedError, theVps, watchedOf } from './the-vps.ts';

/** What an action has changed: these VPSs. */
export type Acted = { readonly vpsIds: readonly string[] };

/** The same for what goes on in the background: `done` never rejects, and no page waits for it. */
export type Begun = Acted & { readonly done: Promise<OnDemandEnd> };

const note = (tx: Transaction, actor: Actor, vps: Subscription, action: string, detail: JournalDetail = {}): void =>
  noteAdminAction(tx, journalName(actor), { userId: vps.userId, vpsId: vps.id }, action, detail);

/** Does `change` to each of the VPSs in one transaction, and tells open pages after it. */
async function act(
  { db }: App,
  choose: (tx: Transaction) => Subscription[],
  change: (tx: Transaction, vps: Subscription) => void,
): Promise<Acted> {
  const vpsIds = await write(db, (tx) => {
    const chosen = choose(tx);
    for (const vps of chosen) change(tx, vps);
    const ids = chosen.map(({ id }) => id);
    publish(tx, { kind: 'vps', vpsIds: ids });
    return ids;
  });
  return { vpsIds };
}

/** Has these VPSs checked now, by this process, also those that wait after refused logins. Throws `RefusedError`. */
export async function checkNow(app: App, actor: Actor, vpsIds: readonly string[], log?: Log): Promise<Begun> {
  const acted = await act(
    app,
    (tx) => watchedOf(meantBy(tx, actor, vpsIds)),
    (tx, vps) => note(tx, actor, vps, 'check_requested'),
  );
  return { ...acted, done: onDemandOf(app).checkSoon(acted.vpsIds, log) };
}

/**
 * Has the service restarted now, whatever state it is in: neither circuit nor maintenance nor paused healing stand in the
 * way of a person. The order is in the restart ledger before anything is done, and its outcome afterwards. Throws
 * `RefusedError` for a VPS that is not watched, or that is being restarted by hand already.
 */
export async function restartNow(
  app: App,
  actor: Actor,
  vpsId: string,
  { now, log }: { readonly now: Date; readonly log?: Log },
): Promise<Begun> {
  let restartId = '';
  const acted = await act(
    app,
    (tx) => {
      const watched = watchedOf(meantBy(tx, actor, [vpsId]));
      // The ledger knows the orders of other processes too; here, one may wait for longer than it vouches for.
      if (
        onDemandOf(app).askedFor(vpsId) === 'restart' ||
        watched.some(({ userId }) => isRestartOrdered(tx, userId, now))
      )
        throw new RefusedError('a restart by hand is under way already: wait until it has ended');
      return watched;
    },
    (tx, vps) => {
      restartId = orderRestart(tx, vps.userId, journalName(actor), now);
      note(tx, actor, vps, 'restart_requested', { restartId });
    },
  );
  return { ...acted, done: onDemandOf(app).restartSoon({ vpsId, restartId }, log) };
}

/** Closes the circuits, forgets streaks and restarts of late, and lets refused logins be tried again. */
export const resetCircuit = (app: App, actor: Actor, vpsIds: readonly string[], now: Date): Promise<Acted> =>
  act(
    app,
    (tx) => meantBy(tx, actor, vpsIds),
    (tx, vps) => {
      resetCircuitOf(tx, { userId: vps.userId, vpsId: vps.id }, journalName(actor), now);
      note(tx, actor, vps, 'circuit_reset');
    },
  );

/** Begins maintenance, now or at the times of the window: a VPS is looked at, but neither healed nor counted. */
export const planMaintenance = (app: App, actor: Actor, vpsIds: readonly string[], window: NewWindow): Promise<Acted> =>
  act(
    app,
    (tx) => meantBy(tx, actor, vpsIds),
    (tx, vps) => {
      addWindows(tx, [{ ...window, userId: vps.userId, createdBy: journalName(actor) }]);
      note(tx, actor, vps, 'maintenance_planned', { kind: window.kind, reason: window.reason });
    },
  );

/** Ends maintenance that is open; weekly windows open again at their next time. What has none is passed over. */
export const endMaintenance = (app: App, actor: Actor, vpsIds: readonly string[], now: Date): Promise<Acted> =>
  act(
    app,
    (tx) => meantBy(tx, actor, vpsIds).filter(({ userId }) => endOpenWindows(tx, userId, now) > 0),
    (tx, vps) => note(tx, actor, vps, 'maintenance_ended'),
  );

/** Deletes a window, weekly ones too. Throws `RefusedError` where this VPS has no such window. */
export const cancelWindow = (app: App, actor: Actor, vpsId: string, windowId: string): Promise<Acted> =>
  act(
    app,
    (tx) => [theVps(tx, actor, vpsId)],
    (tx, vps) => {
      const mine = and(eq(maintenanceWindows.id, windowId), eq(maintenanceWindows.userId, vps.userId));
      if (tx.delete(maintenanceWindows).where(mine).run().changes === 0)
        throw new RefusedError(`${vps.vpsIpAddress} has no maintenance window ${JSON.stringify(windowId)}`);
      note(tx, actor, vps, 'maintenance_cancelled');
    },
  );

/** Switches automatic restarts of these VPSs on or off; they are checked either way, and the breaker does not count. */
export const setVpsHealing = (
  app: App,
  actor: Actor,
  vpsIds: readonly string[],
  on: boolean,
  now: Date,
): Promise<Acted> =>
  act(
    app,
    (tx) => meantBy(tx, actor, vpsIds).filter(({ healingPausedSince }) => (healingPausedSince === null) !== on),
    (tx, vps) => {
      tx.update(subscriptions)
        .set({ healingPausedSince: on ? null : now })
        .where(eq(subscriptions.id, vps.id))
        .run();
      note(tx, actor, vps, on ? 'healing_resumed' : 'healing_paused');
    },
  );

export type BulkRequest = {
  readonly action: BulkAction;
  /** Of maintenance. */
  readonly length: MaintenanceLength;
  readonly vpsIds: readonly string[];
};

function carryOut(app: App, actor: Actor, { action, length, vpsIds }: BulkRequest, now: Date): Promise<Acted> {
  switch (action) {
    case 'check':
      return checkNow(app, actor, vpsIds);
    case 'reset':
      return resetCircuit(app, actor, vpsIds, now);
    case 'maintenance': {
      const parsed = parseMaintenance(REQUEST_OF[length], now);
      if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join('; '));
      return planMaintenance(app, actor, vpsIds, parsed.window);
    }
    case 'endMaintenance':
      return endMaintenance(app, actor, vpsIds, now);
    case 'pause':
    case 'resume':
      return setVpsHealing(app, actor, vpsIds, action === 'resume', now);
  }
}

/** Does it to all of these VPSs that it can be done to, for admins. What could not be done is part of the result. */
export async function actOnMany(
  app: App,
  actor: Actor,
  { action, length, vpsIds }: BulkRequest,
  now: Date,
): Promise<BulkResult> {
  const asked = [...new Set(vpsIds)];
  try {
    const { vpsIds: done } = await carryOut(app, actor, { action, length, vpsIds: asked }, now);
    return { kind: 'done', action, length, asked: asked.length, done: done.length };
  } catch (problem) {
    if (!(problem instanceof RefusedError)) throw problem;
    return { kind: 'refused', action, reason: problem.message };
  }
}
