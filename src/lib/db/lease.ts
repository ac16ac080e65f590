import { and, eq } from 'drizzle-orm';
import { write, type Database, type Transaction } from './client.ts';
import { prepared } from './prepared.ts';
import { isAlive, MACHINE } from './process.ts';
import { leases } from './schema.ts';

export type LeaseName = (typeof leases.$inferSelect)['name'];
export type Lease = typeof leases.$inferSelect;

/** How long a lease lasts without being renewed: a dead holder is replaced within that time, plus one renewal. */
export const LEASE_MS = 30_000;
export const LEASE_RENEWAL_MS = 10_000;

/** Nobody has it: the row stays after a release, as it keeps the term. */
const NOBODY = '';

/** One time of holding a lease. The same holder that takes it again later has another term. */
export type Tenure = { readonly name: LeaseName; readonly holder: string; readonly term: number };

function isFree(lease: Lease, now: Date): boolean {
  if (lease.holder === NOBODY) return true;
  const leftMs = lease.expiresAt.getTime() - now.getTime();
  // More than a lease can last: written by a clock that has been set back since.
  if (leftMs <= 0 || leftMs > 2 * LEASE_MS) return true;
  return lease.machine !== '' && lease.machine === MACHINE && !isAlive(lease.pid);
}

/** Who has the lease, and whether that still counts; null: nobody, or whoever had it has given it back. */
export function readLease(
  db: Database,
  name: LeaseName,
  now: Date,
): (Pick<Lease, 'pid' | 'acquiredAt'> & { readonly isHeld: boolean }) | null {
  const lease = db.select().from(leases).where(eq(leases.name, name)).get();
  if (!lease || lease.holder === NOBODY) return null;
  return { pid: lease.pid, acquiredAt: lease.acquiredAt, isHeld: !isFree(lease, now) };
}

/** Takes the lease, under a term of its own; otherwise says who has it. What `holder` has already is not taken twice. */
export const takeLease = (
  db: Database,
  name: LeaseName,
  holder: string,
  now = new Date(),
): Promise<Tenure | { readonly takenBy: Lease }> =>
  write(db, (tx) => {
    const current = tx.select().from(leases).where(eq(leases.name, name)).get();
    if (current && !isFree(current, now)) return { takenBy: current };
    const term = (current?.term ?? 0) + 1;
    const lease = {
      holder,
      term,
      pid: process.pid,
      machine: MACHINE,
      acquiredAt: now,
      expiresAt: new Date(now.getTime() + LEASE_MS),
    };
    tx.insert(leases)
      .values({ name, ...lease })
      .onConflictDoUpdate({ target: leases.name, set: lease })
      .run();
    return { name, holder, term };
  });

const isOf = ({ name, holder, term }: Tenure) =>
  and(eq(leases.name, name), eq(leases.holder, holder), eq(leases.term, term));

/**
 * Makes the lease last for longer. False: it is lost. A renewal never takes what another has taken, given back or
 * deleted meanwhile: whoever slept through that must begin anew, with new looks.
 */
export const renewLease = (db: Database, tenure: Tenure, now = new Date()): Promise<boolean> =>
  write(
    db,
    (tx) =>
      tx
        .update(leases)
        .set({ expiresAt: new Date(now.getTime() + LEASE_MS) })
        .where(isOf(tenure))
        .run().changes > 0,
  );

export const releaseLease = (db: Database, tenure: Tenure): Promise<unknown> =>
  write(db, (tx) =>
    tx
      .update(leases)
      .set({ holder: NOBODY, machine: '', pid: 0, expiresAt: new Date(0) })
      .where(isOf(tenure))
      .run(),
  );

/**
 * Whether what was begun under this tenure may still be written. A process that was suspended while another took over
 * finds out here, inside its write transaction, and not after it has overwritten newer state.
 */
export const isCurrent = ({ database }: Transaction, tenure: Tenure): boolean => tenureRow(database).get(tenure) === 1;

const tenureRow = prepared(({ $client }) =>
  $client
    .prepare<Tenure, number>('SELECT 1 FROM leases WHERE name = @name AND holder = @holder AND term = @term')
    .pluck(),
);
