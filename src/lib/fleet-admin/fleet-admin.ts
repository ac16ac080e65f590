import { and, eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import { adminName, type Actor } from '../auth/actor.ts';
import { encryptToken, privateKeyPlace } from '../crypto/encryption.ts';
import { write } from '../db/client.ts';
import { maintenanceWindows, newId, subscriptions, users, type MaintenanceWindow } from '../db/schema.ts';
import { noteAdminAction } from '../db/journal-store.ts';
import { publish } from '../live/bus.ts';
import { openTarget } from '../monitoring/look.ts';
import { clearLoginBackoff, forgetHealth } from '../monitoring/health-store.ts';
import { addWindow, endOpenWindows } from '../monitoring/maintenance-store.ts';
import { judge, type Verdict } from '../monitoring/rules/verdict.ts';
import { probeService } from '../provisioning/vps-status.ts';
import type { FleetRow } from '../views/fleet-read.ts';
import type { NewWindow } from './maintenance-request.ts';
import type { NewVps } from './new-vps.ts';

/** An operation that cannot be done as things are; the message says why and what to do. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** Adds the VPS, active and ready, and its customer if new. Throws `RefusedError` where either has one already. */
export async function addVps(
  { db, encryptionKey }: App,
  actor: Actor,
  vps: NewVps,
): Promise<{ id: string; userId: string; newCustomer: boolean }> {
  return write(db, (tx) => {
    const by = adminName(actor);
    const taken = tx
      .select({ id: subscriptions.id, port: subscriptions.sshPort })
      .from(subscriptions)
      .where(eq(subscriptions.vpsIpAddress, vps.host))
      .all()
      .find(({ port }) => port === vps.port);
    if (taken)
      throw new RefusedError(
        `${vps.host} port ${vps.port} is in the fleet already, as ${taken.id}; remove that first, or give another host`,
      );

    const customer = tx.select().from(users).where(eq(users.email, vps.email)).get();
    const userId = customer?.id ?? newId('user');
    if (!customer) tx.insert(users).values({ id: userId, email: vps.email, name: vps.name }).run();
    else {
      const owned = tx.select().from(subscriptions).where(eq(subscriptions.userId, userId)).get();
      if (owned && owned.status !== 'canceled')
        throw new RefusedError(
          `${vps.email} has a VPS already (${owned.vpsIpAddress}, ${owned.id}), and each customer has one; remove that first, or give another customer`,
        );
      // The machine of a cancelled subscription is another machine: its state and its restarts are of no meaning here.
      if (owned) {
        tx.delete(subscriptions).where(eq(subscriptions.id, owned.id)).run();
        forgetHealth(tx, userId);
      }
      // Who is known keeps the own name: adding a machine is no occasion to rename people.
      if (vps.name !== null && customer.name === null)
        tx.update(users).set({ name: vps.name }).where(eq(users.id, userId)).run();
    }
    const id = newId('vps');
    tx.insert(subscriptions)
      .values({
        id,
        userId,
        status: 'active',
        vpsProvisioned: true,
        provisioningStatus: 'ready',
        vpsIpAddress: vps.host,
        sshPort: vps.port,
        sshUser: vps.user,
        sshPrivateKey: encryptToken(vps.privateKey, privateKeyPlace(id), encryptionKey),
        sshHostKey: vps.hostKey,
        serviceName: vps.service,
      })
      .run();
    noteAdminAction(tx, by, { userId, vpsId: id }, 'vps_added', { host: vps.host });
    publish(tx, { kind: 'all' });
    return { id, userId, newCustomer: !customer };
  });
}

/** The VPS that something is done to. */
type TheVps = Pick<FleetRow, 'id' | 'userId' | 'host'>;
const asOwner = ({ id, userId }: TheVps) => ({ userId, vpsId: id });

/** Takes the VPS out of the fleet and forgets its state; the customer and what the journal has of it stay. */
export async function removeVps({ db }: App, actor: Actor, vps: TheVps): Promise<void> {
  await write(db, (tx) => {
    const by = adminName(actor);
    tx.delete(subscriptions).where(eq(subscriptions.id, vps.id)).run();
    forgetHealth(tx, vps.userId);
    noteAdminAction(tx, by, asOwner(vps), 'vps_removed', { host: vps.host });
    publish(tx, { kind: 'all' });
  });
}

/** Begins maintenance, now or at the times of the window: the VPS is looked at, but neither healed nor counted. */
export const planMaintenance = (
  { db }: App,
  actor: Actor,
  vps: TheVps,
  window: NewWindow,
): Promise<MaintenanceWindow> =>
  write(db, (tx) => {
    const createdBy = adminName(actor);
    const { kind, reason } = window;
    noteAdminAction(tx, createdBy, asOwner(vps), 'maintenance_planned', { kind, reason });
    return addWindow(tx, { ...window, userId: vps.userId, createdBy });
  });

/** Ends maintenance that is open or yet to come; weekly windows stay. Returns how many windows that were. */
export const endMaintenance = ({ db }: App, actor: Actor, vps: TheVps, now: Date): Promise<number> =>
  write(db, (tx) => {
    const by = adminName(actor);
    const ended = endOpenWindows(tx, vps.userId, now);
    if (ended > 0) noteAdminAction(tx, by, asOwner(vps), 'maintenance_ended');
    return ended;
  });

/** Deletes a window, weekly ones too. False: this VPS has no such window. */
export const cancelWindow = ({ db }: App, actor: Actor, vps: TheVps, windowId: string): Promise<boolean> =>
  write(db, (tx) => {
    const by = adminName(actor);
    const mine = and(eq(maintenanceWindows.id, windowId), eq(maintenanceWindows.userId, vps.userId));
    const { changes } = tx.delete(maintenanceWindows).where(mine).run();
    if (changes > 0) noteAdminAction(tx, by, asOwner(vps), 'maintenance_cancelled');
    return changes > 0;
  });

/** Pins another host key; null: the one of the next connection. For a machine that was reinstalled. */
export const repinHostKey = ({ db }: App, actor: Actor, vps: TheVps, hostKey: string | null): Promise<void> =>
  write(db, (tx) => {
    const by = adminName(actor);
    tx.update(subscriptions).set({ sshHostKey: hostKey }).where(eq(subscriptions.id, vps.id)).run();
    noteAdminAction(tx, by, asOwner(vps), 'host_key_repinned');
  });

export type VpsTest = {
  readonly verdict: Verdict;
  readonly durationMs: number | null;
  readonly hostKey: string | null;
};

/** Logs in and looks, now. Changes nothing, but a login that works ends the wait after refused ones. */
export async function testVps(app: App, id: string): Promise<VpsTest> {
  const subscription = app.db.select().from(subscriptions).where(eq(subscriptions.id, id)).get();
  if (!subscription) throw new RefusedError(`there is no VPS with the id ${id}`);
  const target = openTarget(app, subscription);
  if ('kind' in target) return { verdict: target, durationMs: null, hostKey: null };
  const { result, durationMs, hostKey } = await probeService(target, app.settings);
  if (hostKey !== null) await clearLoginBackoff(app.db, subscription.userId);
  return { verdict: judge(result, { graceUsed: true }), durationMs, hostKey };
}
