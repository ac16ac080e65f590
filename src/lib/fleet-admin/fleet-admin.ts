import { eq, inArray } from 'drizzle-orm';
import type { App } from '../app.ts';
import { adminName, type Actor } from '../auth/actor.ts';
import { encryptToken, privateKeyPlace } from '../crypto/encryption.ts';
import { write, type Database, type Transaction } from '../db/client.ts';
import { healthChecks, newId, subscriptions, users, type Subscription } from '../db/schema.ts';
import { chunksOf, ROWS_AT_ONCE } from '../db/chunks.ts';
import { noteAdminAction, noteAdminActions } from '../db/journal-store.ts';
import { addLabels } from '../db/label-store.ts';
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

/** A VPS that has been added. */
export type Added = { readonly id: string; readonly userId: string; readonly newCustomer: boolean };

/** A VPS to be added. `line`: where a file asks for it. `notReadyWhy`: it is listed and not swept, for this reason. */
export type ToAdd = { readonly vps: NewVps; readonly line?: number; readonly notReadyWhy?: string | null };

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
): Promise<Added> {
  adminName(actor);
  await refuseForbiddenAddress(app, vps.host);
  return write(app.db, (tx) => {
    publish(tx, { kind: 'all' });
    const [added] = addVpssIn(tx, app, actor, [{ vps, notReadyWhy }]);
    if (!added) throw new Error('no VPS was added');
    return added;
  });
}

const sharesKey = ({ privateKey, byCertificate }: NewVps): boolean => privateKey === null && !byCertificate;

/**
 * The same for many within a transaction, in few statements, as nobody else can write meanwhile. A refusal names the line.
 * Pages are told by whoever has begun the transaction, and whether the hosts may be dialled has been asked before.
 */
export function addVpssIn(
  tx: Transaction,
  app: Pick<App, 'encryptionKey' | 'settings'>,
  actor: Actor,
  toAdd: readonly ToAdd[],
): Added[] {
  const by = adminName(actor);
  const now = new Date();
  const sharedKey = toAdd.some(({ vps }) => sharesKey(vps)) ? sharedKeyOf(tx) : null;
  if (sharedKey === undefined) throw new RefusedError(NO_SHARED_KEY);
  if (toAdd.some(({ vps }) => vps.byCertificate)) refuseWithoutAuthority(app, tx);
  return chunksOf(toAdd).flatMap((chunk, before) => {
    const here = readTaken(tx, chunk);
    const added = chunk.map(({ vps, line, notReadyWhy = null }) => {
      const refusal = refusalOf(here, vps);
      if (refusal !== null) throw new RefusedError(line === undefined ? refusal : `line ${line}: ${refusal}`);
      const customer = here.users.get(vps.email);
      return { vps, notReadyWhy, customer, id: newId('vps'), userId: customer?.id ?? newId('user') };
    });
    // The machine of a cancelled subscription is another machine: its state and its restarts are of no meaning here.
    for (const { userId } of added) {
      const former = here.owned.get(userId);
      if (!former) continue;
      tx.delete(subscriptions).where(eq(subscriptions.id, former.id)).run();
      forgetHealth(tx, userId);
    }
    const fresh = added.filter(({ customer }) => !customer);
    if (fresh.length > 0)
      tx.insert(users)
        .values(fresh.map(({ vps, userId }) => ({ id: userId, email: vps.email, name: vps.name })))
        .run();
    // Who is known keeps the own name: adding a machine is no occasion to rename people.
    for (const { vps, customer } of added)
      if (customer?.name === null && vps.name !== null)
        tx.update(users).set({ name: vps.name }).where(eq(users.id, customer.id)).run();
    tx.insert(subscriptions)
      .values(
        added.map(({ vps, notReadyWhy, id, userId }, index) => ({
          id,
          userId,
          // The fleet is listed in the order in which they came, so no two of them come at the same time.
          createdAt: new Date(now.getTime() + before * ROWS_AT_ONCE + index),
          status: 'active' as const,
          vpsProvisioned: true,
          provisioningStatus: notReadyWhy === null ? ('ready' as const) : ('pending' as const),
          notReadyWhy,
          vpsIpAddress: vps.host,
          sshPort: vps.port,
          sshUser: vps.user,
          sshLogin: vps.byCertificate ? ('certificate' as const) : ('key' as const),
          sshPrivateKey:
            vps.privateKey === null ? null : encryptToken(vps.privateKey, privateKeyPlace(id), app.encryptionKey),
          sshKeyId: sharesKey(vps) ? (sharedKey?.id ?? null) : null,
          sshHostKey: vps.hostKey,
          sshHostKeyAt: vps.hostKey === null ? null : now,
          serviceName: vps.service,
          note: vps.note,
        })),
      )
      .run();
    addLabels(
      tx,
      added.map(({ id, vps }) => ({ vpsId: id, labels: vps.labels })),
    );
    noteAdminActions(
      tx,
      by,
      added.map(({ id, userId, vps }) => ({
        vps: { userId, vpsId: id },
        action: 'vps_added',
        detail: { host: vps.host },
      })),
    );
    return added.map(({ id, userId, customer }) => ({ id, userId, newCustomer: !customer }));
  });
}

/** Throws `RefusedError` where another VPS of the fleet has this address, or the customer has one. */
export function refuseTaken(db: Database | Transaction, vps: NewVps): void {
  const refusal = refusalOf(readTaken(db, [{ vps }]), vps);
  if (refusal !== null) throw new RefusedError(refusal);
}

type Taken = {
  readonly users: ReadonlyMap<string, { readonly id: string; readonly name: string | null }>;
  /** By their users. */
  readonly owned: ReadonlyMap<string, Subscription>;
  readonly atHost: ReadonlyMap<string, Subscription>;
};

const placeOf = (host: string | null, port: number): string => `${host} ${port}`;

/** What there is already of these customers, and at these addresses. */
function readTaken(db: Database | Transaction, toAdd: readonly ToAdd[]): Taken {
  const emails = toAdd.map(({ vps }) => vps.email);
  const hosts = toAdd.map(({ vps }) => vps.host);
  const found = db.select().from(users).where(inArray(users.email, emails)).all();
  const ids = found.map(({ id }) => id);
  const owned = db.select().from(subscriptions).where(inArray(subscriptions.userId, ids)).all();
  const there = db.select().from(subscriptions).where(inArray(subscriptions.vpsIpAddress, hosts)).all();
  return {
    users: new Map(found.map((user) => [user.email, user])),
    owned: new Map(owned.map((vps) => [vps.userId, vps])),
    atHost: new Map(there.map((vps) => [placeOf(vps.vpsIpAddress, vps.sshPort), vps])),
  };
}

function refusalOf({ users, owned, atHost }: Taken, { host, port, email }: NewVps): string | null {
  const taken = atHost.get(placeOf(host, port));
  if (taken)
    return `${host} port ${port} is in the fleet already, as ${taken.id}; remove that first, or give another host`;
  const own = owned.get(users.get(email)?.id ?? '');
  return own && own.status !== 'canceled'
    ? `${email} has a VPS already (${own.vpsIpAddress}, ${own.id}), and each customer has one; remove that first, or give another customer`
    : null;
}

/** Takes the VPS out of the fleet and forgets its state; the customer and what the journal has of it stay. */
export const removeVps = ({ db }: App, actor: Actor, vpsId: string): Promise<void> =>
  write(db, (tx) => {
    removeVpsIn(tx, actor, vpsId);
    publish(tx, { kind: 'all' });
  });

/** The same within a transaction; pages are told by whoever has begun it. */
export function removeVpsIn(tx: Transaction, actor: Actor, vpsId: string): void {
  const { userId, vpsIpAddress } = theVps(tx, actor, vpsId);
  tx.delete(subscriptions).where(eq(subscriptions.id, vpsId)).run();
  forgetHealth(tx, userId);
  noteAdminAction(tx, adminName(actor), { userId, vpsId }, 'vps_removed', { host: vpsIpAddress });
}

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
    pinIn(tx, actor, vps, hostKey);
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

/** Trusts this host key, or that of the next connection, within a transaction. */
export function pinIn(
  tx: Transaction,
  actor: Actor,
  { id, userId }: Pick<Subscription, 'id' | 'userId'>,
  hostKey: string | null,
): void {
  tx.update(subscriptions)
    .set({ sshHostKey: hostKey, sshHostKeyAt: hostKey === null ? null : new Date() })
    .where(eq(subscriptions.id, id))
    .run();
  clearLoginBackoffIn(tx, userId);
  noteAdminAction(tx, adminName(actor), { userId, vpsId: id }, 'host_key_repinned');
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
