import type Sqlite from 'better-sqlite3';
import { isAlive, MACHINE } from './process.ts';

/** A lease that claims to last longer was written by a clock that has been set back since. */
const LONGEST_LEASE_MS = 60_000;

type Holder = { readonly pid: number; readonly machine: string };

/**
 * The processes that hold a lease on the database now, and thus work with it. A lease of a process that has died
 * proves nothing, nor does one with our own PID: it is of a process before us, in a container that was started again.
 */
function holders(client: Sqlite.Database): Holder[] {
  if (!client.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'leases'").get()) return [];
  const now = Date.now();
  return client
    .prepare<[number, number], Holder>('SELECT pid, machine FROM leases WHERE expires_at > ? AND expires_at <= ?')
    .all(now, now + LONGEST_LEASE_MS)
    .filter(({ pid, machine }) => machine !== MACHINE || (pid !== process.pid && isAlive(pid)));
}

/** A process, here or on another machine, that works with the database now; null where none is known. */
export const anyHolder = (client: Sqlite.Database): Holder | null => holders(client)[0] ?? null;

/** The PID of a process of this machine that works with the database now; null where none is known. */
export const localHolder = (client: Sqlite.Database): number | null =>
  MACHINE === '' ? null : (holders(client).find(({ machine }) => machine === MACHINE)?.pid ?? null);
