/** Clocks that are kept right are moved by less than this, and a minute too late harms nothing here. */
export const CLOCK_SLACK_MS = 60_000;

/**
 * Whether something that has happened lies in the future: the clock was ahead then and has been set back since. Whatever
 * is counted from such a time is due now, or it would wait until that time comes again.
 */
export const isAhead = (happenedAt: Date | number, now: Date | number): boolean =>
  Number(happenedAt) - Number(now) > CLOCK_SLACK_MS;

/**
 * Whether a wait of at most `longestMs` that ends at `until` goes on at `now`. One that would last longer than that was
 * begun by a clock that has been set back since, and is over.
 */
export const isWaiting = (until: Date, now: Date, longestMs: number): boolean =>
  until > now && !isAhead(until.getTime() - longestMs, now);
