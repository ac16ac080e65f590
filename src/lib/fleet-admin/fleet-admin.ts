import { eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import { adminName, type Actor } from '../auth/actor.ts';
import { encryptToken, privateKeyPlace } from '../crypto/encryption.ts';
import { write, type Transaction } from '../db/client.ts';
import { healthChecks, newId, subscriptions, users, type Subscription } from '../db/schema.ts';
import { noteAdminAction } from '../db/journal-store.ts';
import { setLabels } from '../db/label-store.ts';
import { publish } from '../live/bus.ts';
import { openTarget } from '../monitoring/vps-target.ts';
import { clearLoginBackoff, clearLoginBackoffIn, forgetHealth } from '../monitoring/health-store.ts';
import { judge, type Verdict } from '../monitoring/rules/verdict.ts';
import { fingerprint } from '../provisioning/host-key.ts';
import { VpsLink } from '../provisioning/vps-link.ts';
import type { NewVps } from './new-vps.ts';
import { RefusedError, theVps } from './the-vps.ts';

/** A VPS that has been added. */
export type Added = { readonly id: string; readonly userId: string; readonly newCustomer: boolean };

/** Adds the VPS, active and ready, and its customer if new. Throws `RefusedError` where either has one already. */
export const addVps = (app: App, actor: Actor, vps: NewVps): Promise<Added> =>
  write(app.db, (tx) => {
    publish(tx, { kind: 'all' });
    return addVpsIn(tx, app, actor, vps);
  });

/** The same within a transaction; pages are told by whoever has begun it. */
export function addVpsIn(
  tx: Transaction,
  { encryptionKey }: Pick<App, 'encryptionKey'>,
  actor: Actor,
  vps: NewVps,
): Added {
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
  setLabels(tx, id, vps.labels);
  noteAdminAction(tx, by, { userId, vpsId: id }, 'vps_added', { host: vps.host });
  return { id, userId, newCustomer: !customer };
}

/** Takes the VPS out of the fleet and forgets its state; the customer and what the journal has of it stay. */
export const removeVps = ({ db }: App, actor: Actor, vpsId: string): Promise<void> =>
  write(db, (tx) => {
    const { userId, vpsIpAddress } = theVps(tx, actor, vpsId);
    tx.delete(subscriptions).where(eq(subscriptions.id, vpsId)).run();
    forgetHealth(tx, userId);
    noteAdminAction(tx, adminName(actor), { userId, vpsId }, 'vps_removed', { host: vpsIpAddress });
    publish(tx, { kind: 'all' });
  });

/** Which host key is trusted: this one; the one with this fingerprint, which was shown last; or that of the next connection. */
export type NewPin =
  | { readonly kind: 'given'; readonly hostKey: string }
  | { readonly kind: 'offered'; readonly fingerprint: string }
  | { readonly kind: 'next' };

/** Pins another host key, for a machine that was reinstalled. Throws `RefusedError` where it shows yet another by now. */
export const repinHostKey = ({ db }: App, actor: Actor, vpsId: string, pin: NewPin): Promise<void> =>
  write(db, (tx) => {
    const vps = theVps(tx, actor, vpsId);
    const hostKey = pin.kind === 'given' ? pin.hostKey : pin.kind === 'offered' ? offeredKey(tx, vps, pin) : null;
    tx.update(subscriptions).set({ sshHostKey: hostKey }).where(eq(subscriptions.id, vpsId)).run();
    clearLoginBackoffIn(tx, vps.userId);
    noteAdminAction(tx, adminName(actor), { userId: vps.userId, vpsId }, 'host_key_repinned');
    publish(tx, { kind: 'vps', vpsIds: [vpsId] });
  });

function offeredKey(
  tx: Transaction,
  vps: Subscription,
  { fingerprint: wanted }: { readonly fingerprint: string },
): string {
  const hostKey = tx.select().from(healthChecks).where(eq(healthChecks.userId, vps.userId)).get()?.offeredHostKey;
  if (hostKey == null || fingerprint(hostKey) !== wanted)
    throw new RefusedError(
      `the key ${wanted} is not the one that ${vps.vpsIpAddress} has shown last; compare them once more`,
    );
  return hostKey;
}

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
  const link = new VpsLink(target, { limits: app.settings, choice: app.settings.sshLink });
  const { result, durationMs, hostKey } = await link.look();
  await link.close();
  if (hostKey !== null) await clearLoginBackoff(app.db, subscription.userId);
  return { verdict: judge(result, { graceUsed: true, start: null }, new Date()), durationMs, hostKey };
}
