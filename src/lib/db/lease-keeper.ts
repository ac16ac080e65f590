import { randomBytes } from 'node:crypto';
import { messageOf, type Log } from '../log.ts';
import type { Database } from './client.ts';
import {
  LEASE_MS,
  LEASE_RENEWAL_MS,
  releaseLease,
  renewLease,
  takeLease,
  type LeaseName,
  type Tenure,
} from './lease.ts';

export type HeldLease = {
  readonly tenure: Tenure;
  /** Aborted when another process has taken over, or when nobody can tell any more. */
  readonly lost: AbortSignal;
  /** Gives it back; the last of several holders frees it for others. Waits for a renewal under way. */
  release(): Promise<void>;
};

/** Another process has it. */
export type TakenLease = { readonly pid: number };

type Holding = {
  readonly tenure: Tenure;
  readonly lost: AbortController;
  readonly renewal: NodeJS.Timeout;
  holders: number;
  renewedAtMs: number;
};

/**
 * Holds one lease for this process: takes it, renews it while anybody here holds it, says when it is lost, and frees it.
 * Several holders of one keeper share the lease; two keepers exclude each other, also within a process.
 */
export class LeaseKeeper {
  readonly #db: Database;
  readonly #name: LeaseName;
  readonly #log: Log;
  /** Unique for each keeper, also after a PID is used again. */
  readonly #holder = `${process.pid}-${randomBytes(6).toString('hex')}`;
  #holding: Holding | null = null;
  /** What could not be given back when it should have been: nobody here holds it any more, and others wait for it. */
  #unreleased: Tenure | null = null;
  /** Taking, renewing and freeing happen one after the other: they all write the one row. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(db: Database, name: LeaseName, log: Log) {
    this.#db = db;
    this.#name = name;
    this.#log = log;
  }

  /** Takes the lease, or a share of it where this keeper has it already. Rejects when the database cannot be written. */
  hold(): Promise<HeldLease | TakenLease> {
    return this.#inTurn(async () => {
      await this.#catchUp();
      if (this.#holding === null || this.#holding.lost.signal.aborted) {
        const taken = await takeLease(this.#db, this.#name, this.#holder);
        if ('takenBy' in taken) return { pid: taken.takenBy.pid };
        this.#end();
        this.#holding = this.#begin(taken);
      }
      return this.#share(this.#holding);
    });
  }

  #share(holding: Holding): HeldLease {
    holding.holders++;
    let released: Promise<void> | null = null;
    const release = (): Promise<void> => (released ??= this.#inTurn(() => this.#giveBack(holding)));
    return { tenure: holding.tenure, lost: holding.lost.signal, release };
  }

  #begin(tenure: Tenure): Holding {
    const renewal = setInterval(() => void this.#inTurn(() => this.#renew(holding)), LEASE_RENEWAL_MS);
    renewal.unref();
    const holding = { tenure, renewal, lost: new AbortController(), holders: 0, renewedAtMs: performance.now() };
    return holding;
  }

  async #renew(holding: Holding): Promise<void> {
    if (holding.holders === 0 || holding.lost.signal.aborted) return;
    try {
      if (await renewLease(this.#db, holding.tenure)) holding.renewedAtMs = performance.now();
      else this.#lose(holding, 'another process has taken it');
    } catch (error) {
      this.#log.error(`the ${this.#name} lease could not be renewed: ${messageOf(error)}`);
      if (performance.now() - holding.renewedAtMs > LEASE_MS) this.#lose(holding, 'it has run out');
    }
  }

  #lose(holding: Holding, why: string): void {
    clearInterval(holding.renewal);
    this.#log.error(`the ${this.#name} lease is lost: ${why}`);
    holding.lost.abort();
  }

  async #giveBack(holding: Holding): Promise<void> {
    if (--holding.holders > 0) return;
    clearInterval(holding.renewal);
    if (this.#holding === holding) this.#holding = null;
    if (holding.lost.signal.aborted) return;
    this.#unreleased = holding.tenure;
    await this.#catchUp();
  }

  async #catchUp(): Promise<void> {
    if (this.#unreleased === null) return;
    await releaseLease(this.#db, this.#unreleased);
    this.#unreleased = null;
  }

  /** What is left of a lost lease. */
  #end(): void {
    if (this.#holding !== null) clearInterval(this.#holding.renewal);
    this.#holding = null;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}
