import { randomBytes } from 'node:crypto';
import { and, eq } from 'drizzle-orm';
import { write, type Database, type Transaction } from '../db/client.ts';
import { isAlive, MACHINE } from '../db/process.ts';
import { leases } from '../db/schema.ts';

export type LeaseName = (typeof leases.$inferSelect)['name'];

/** How long a lease lasts without being renewed: a dead holder is replaced within that time, plus one renewal. */
export const LEASE_MS = 30_000;
export const LEASE_RENEWAL_MS = 10_000;

/** Who asks: unique for each process, also after its PID is used again. */
export const SELF = {
  holder: `${process.pid}-${randomBytes(6).toString('hex')}`,
  pid: process.pid,
  machine: MACHINE,
};

type Lease = typeof leases.$inferSelect;

function isFree(lease: Lease, now: Date): boolean {
  const leftMs = lease.expiresAt.getTime() - now.getTime();
  // More than a lease can last: written by a clock that has been set back since.
  if (leftMs <= 0 || leftMs > 2 * LEASE_MS) return true;
  return lease.machine !== '' && lease.machine === SELF.machine && !isAlive(lease.pid);
}

/** Takes or renews the lease. Null: it is ours now; otherwise, who holds it. */
export const acquireLease = (db: Database, name: LeaseName, now = new Date()): Promise<Lease | null> =>
  write(db, (tx) => {
    const current = tx.select().from(leases).where(eq(leases.name, name)).get();
    const ours = current?.holder === SELF.holder;
    if (current && !ours && !isFree(current, now)) return current;
    const lease = {
      ...SELF,
      acquiredAt: ours ? current.acquiredAt : now,
      expiresAt: new Date(now.getTime() + LEASE_MS),
    };
    tx.insert(leases)
      .values({ name, ...lease })
      .onConflictDoUpdate({ target: leases.name, set: lease })
      .run();
    return null;
  });

export const releaseLease = async (db: Database, name: LeaseName): Promise<void> => {
  await write(db, (tx) =>
    tx
      .delete(leases)
      .where(and(eq(leases.name, name), eq(leases.holder, SELF.holder)))
      .run(),
  );
};

/**
 * Whether this process may still write as the holder. A process that was suspended while another took over finds out
 * here, inside its write transaction, and not after it has overwritten newer state.
 */
export const holdsLease = (tx: Transaction, name: LeaseName): boolean =>
  tx.select().from(leases).where(eq(leases.name, name)).get()?.holder === SELF.holder;
