/** What counts into a round of what was seen and sent before it. */
export type Before = {
  /** Services that stopped, and are not looked at by this round as ones that ran. */
  readonly stopped: number;
  readonly restarts: number;
};

export const NOTHING_BEFORE: Before = { stopped: 0, restarts: 0 };

type Seen = { readonly atMs: number; readonly onNews: boolean };

/**
 * What the rounds of this process have seen stop and have restarted within the interval of a sweep, so that looks on news
 * get around none of its limits. Times are of `performance.now()`; what is older is forgotten.
 */
export class Lately {
  readonly #stopped = new Map<string, Seen>();
  readonly #restarted = new Map<string, Seen>();

  noteStop(vpsId: string, seen: Seen): void {
    this.#stopped.set(vpsId, seen);
  }

  noteRestart(vpsId: string, seen: Seen): void {
    this.#restarted.set(vpsId, seen);
  }

  /** What a look on news at these VPSs has to count: everything, but for what it sees itself. */
  beforeNews(vpsIds: readonly string[], sinceMs: number): Before {
    this.#forget(sinceMs);
    const others = [...this.#stopped.keys()].filter((id) => !vpsIds.includes(id));
    return { stopped: others.length, restarts: this.#restarted.size };
  }

  /**
   * What a sweep has to count: what was seen and sent on news. `isDown`: of a service that was healed or has come back the
   * sweep sees for itself whether it stops once more.
   */
  beforeSweep(isDown: (vpsId: string) => boolean, sinceMs: number): Before {
    this.#forget(sinceMs);
    const onNews = (all: ReadonlyMap<string, Seen>): string[] =>
      [...all].filter(([, seen]) => seen.onNews).map(([id]) => id);
    return { stopped: onNews(this.#stopped).filter(isDown).length, restarts: onNews(this.#restarted).length };
  }

  /**
   * Whether this VPS has had its restart of the interval: in a sweep, if news has brought it; on news, whoever has sent it,
   * another process too, as the ledger (`restartedAt`) tells.
   */
  isSpent(
    kind: 'sweep' | 'news',
    { id, restartedAt }: { readonly id: string; readonly restartedAt: readonly Date[] },
    { nowMs, now, intervalMs }: { readonly nowMs: number; readonly now: Date; readonly intervalMs: number },
  ): boolean {
    const seen = this.#restarted.get(id);
    const isRecent = seen !== undefined && seen.atMs > nowMs - intervalMs;
    if (kind === 'sweep') return isRecent && seen.onNews;
    return isRecent || restartedAt.some((at) => Math.abs(now.getTime() - at.getTime()) < intervalMs);
  }

  #forget(sinceMs: number): void {
    for (const seen of [this.#stopped, this.#restarted])
      for (const [id, { atMs }] of seen) if (atMs <= sinceMs) seen.delete(id);
  }
}
