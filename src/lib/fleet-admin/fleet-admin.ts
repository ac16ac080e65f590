import { and, eq, ne } from 'drizzle-orm';
import type { App } from '../app.ts';
import { adminName, type Actor } from '../auth/actor.ts';
import { encryptToken, privateKeyPlace } from '../crypto/encryption.ts';
import { write, type Database, type Transaction } from '../db/client.ts';
import { healthChecks, newId, subscriptions, users, type Subscription } from '../db/schema.ts';
import { noteAdminAction } from '../db/journal-store.ts';
import { publish } from '../live/bus.ts';
import { openTarget } from '../monitoring/vps-target.ts';
import { clearLoginBackoff, clearLoginBackoffIn, forgetHealth } from '../monitoring/health-store.ts';
import { judge, type Verdict } from '../monitoring/rules/verdict.ts';
import { fingerprint, parseHostKey } from '../provisioning/host-key.ts';
import { lookUpSshfp } from '../provisioning/sshfp.ts';
import { VpsLink } from '../provisioning/vps-link.ts';
import type { NewVps } from './new-vps.ts';
import { refuseWithoutAuthority } from './authority.ts';
import { dnsInWords } from '../views/host-key-words.ts';
import { refuseForbiddenAddress } from './address-check.ts';
import { NO_SHARED_KEY, sharedKeyOf } from './shared-key.ts';
import { RefusedError, theVps } from './the-vps.ts';

/** Throws `RefusedError` where another VPS of the fleet has this address, or the customer has one. */
export function refuseTaken(db: Database | Transaction, { email, host, port }: NewVps): void {
  const taken = db
    .select({ id: subscriptions.id })
    .from(subscriptions)
    .where(and(eq(subscriptions.vpsIpAddress, host), eq(subscriptions.sshPort, port)))
    .get();
  if (taken)
    throw new RefusedError(
      `${host} port ${port} is in the fleet already, as ${taken.id}; remove that first, or give another host`,
    );
  const owned = db
    .select({ id: subscriptions.id, host: subscriptions.vpsIpAddress })
    .from(users)
    .innerJoin(subscriptions, eq(subscriptions.userId, users.id))
    .where(and(eq(users.email, email), ne(subscriptions.status, 'canceled')))
    .get();
  if (owned)
    throw new RefusedError(
      `${email} has a VPS already (${owned.host}, ${owned.id}), and each customer has one; remove that first, or give another customer`,
    );
}

/**
 * Adds the VPS, active and ready, and its customer if new; with a reason why it is not ready, it is listed and not swept.
 * Nothing is tried: see `boardVps`. Throws `RefusedError` where either has one already, and where the VPS is to have the
 * fleet's shared key and there is none.
 */
export async function addVps(
  app: App,
  actor: Actor,
  vps: NewVps,
  { notReadyWhy = null }: { readonly notReadyWhy?: string | null } = {},
): Promise<{ id: string; userId: string; newCustomer: boolean }> {
  const { db, encryptionKey } = app;
  const by = adminName(actor);
  await refuseForbiddenAddress(app, vps.host);
  return write(db, (tx) => {
    refuseTaken(tx, vps);
    const sharedKey = vps.privateKey === null && !vps.byCertificate ? sharedKeyOf(tx) : null;
    if (sharedKey === undefined) throw new RefusedError(NO_SHARED_KEY);
    if (vps.byCertificate) refuseWithoutAuthority(app, tx);
    const customer = tx.select().from(users).where(eq(users.email, vps.email)).get();
    const userId = customer?.id ?? newId('user');
    if (!customer) tx.insert(users).values({ id: userId, email: vps.email, name: vps.name }).run();
    else {
      const owned = tx.select().from(subscriptions).where(eq(subscriptions.userId, userId)).get();
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
        provisioningStatus: notReadyWhy === null ? 'ready' : 'pending',
        notReadyWhy,
        vpsIpAddress: vps.host,
        sshPort: vps.port,
        sshUser: vps.user,
        sshLogin: vps.byCertificate ? 'certificate' : 'key',
        sshPrivateKey:
          vps.privateKey === null ? null : encryptToken(vps.privateKey, privateKeyPlace(id), encryptionKey),
        sshKeyId: sharedKey?.id ?? null,
        sshHostKey: vps.hostKey,
        sshHostKeyAt: vps.hostKey === null ? null : new Date(),
        serviceName: vps.service,
        note: vps.note,
      })
      .run();
    noteAdminAction(tx, by, { userId, vpsId: id }, 'vps_added', { host: vps.host });
    publish(tx, { kind: 'all' });
    return { id, userId, newCustomer: !customer };
  });
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
    tx.update(subscriptions)
      .set({ sshHostKey: hostKey, sshHostKeyAt: hostKey === null ? null : new Date() })
      .where(eq(subscriptions.id, vpsId))
      .run();
    clearLoginBackoffIn(tx, vps.userId);
    noteAdminAction(tx, adminName(actor), { userId: vps.userId, vpsId }, 'host_key_repinned');
    publish(tx, { kind: 'vps', vpsIds: [vpsId] });
  });

/** What the DNS says of the key that this VPS shows instead of the pinned one; empty where it says or shows nothing. */
export async function vouchedInWords({ db }: App, actor: Actor, vpsId: string): Promise<string> {
  adminName(actor);
  const row = db
    .select({ host: subscriptions.vpsIpAddress, offered: healthChecks.offeredHostKey })
    .from(subscriptions)
    .innerJoin(healthChecks, eq(healthChecks.userId, subscriptions.userId))
    .where(eq(subscriptions.id, vpsId))
    .get();
  return row?.host && row.offered ? dnsInWords(await lookUpSshfp(row.host, row.offered)) : '';
}

/** Throws `RefusedError` where this line of known_hosts is not of the key with this fingerprint. */
export function refuseOtherLine(line: string, wanted: string): void {
  const given = parseHostKey(line);
  if (given === null) throw new RefusedError('the line of known_hosts has no host key in it');
  if (fingerprint(given) !== wanted)
    throw new RefusedError(
      `the line is of ${fingerprint(given)}, and the machine shows ${wanted || 'none'}: do not trust that one`,
    );
}

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
