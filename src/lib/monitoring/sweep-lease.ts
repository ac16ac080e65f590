import type { Database } from '../db/client.ts';
import { messageOf, type Log } from '../log.ts';
import { acquireLease, LEASE_RENEWAL_MS, releaseLease } from './lease.ts';

export type HeldLease = {
  /** Aborted when another process has taken over. */
  readonly lost: AbortSignal;
  release(): Promise<void>;
};

type Shared = {
  holders: number;
  lost: AbortController;
  renewal: NodeJS.Timeout | undefined;
  /** Taking and giving back happen one after the other: the lease is a row that both write. */
  turn: Promise<unknown>;
};

const shares = new WeakMap<Database, Shared>();
const shareOf = (db: Database): Shared => {
  const known = shares.get(db);
  if (known) return known;
  const share = { holders: 0, lost: new AbortController(), renewal: undefined, turn: Promise.resolve() };
  shares.set(db, share);
  return share;
};

function inTurn<T>(share: Shared, work: () => Promise<T>): Promise<T> {
  const done = share.turn.then(work);
  share.turn = done.catch(() => undefined);
  return done;
}

/**
 * Takes the right to check VPSs, which a sweep and what an admin has asked for share within a process; renewed until the
 * last of them gives it back. With a `pid`: that other process has it.
 */
export function holdSweepLease(db: Database, log: Log): Promise<HeldLease | { readonly pid: number }> {
  const share = shareOf(db);
  return inTurn(share, async () => {
    if (share.holders === 0 || share.lost.signal.aborted) {
      const other = await acquireLease(db, 'sweep');
      if (other !== null) return { pid: other.pid };
      renew(db, share, log);
    }
    share.holders++;
    return { lost: share.lost.signal, release: () => inTurn(share, () => giveBack(db, share)) };
  });
}

/** The lease may get lost while this process stands still; then another one sweeps, and this one has to end. */
function renew(db: Database, share: Shared, log: Log): void {
  clearInterval(share.renewal);
  const lost = new AbortController();
  share.lost = lost;
  share.renewal = setInterval(() => {
    acquireLease(db, 'sweep').then(
      (other) => other !== null && lost.abort(),
      (error: unknown) => log.error(`the sweep lease could not be renewed: ${messageOf(error)}`),
    );
  }, LEASE_RENEWAL_MS);
}

async function giveBack(db: Database, share: Shared): Promise<void> {
  if (--share.holders > 0) return;
  clearInterval(share.renewal);
  await releaseLease(db, 'sweep');
}
