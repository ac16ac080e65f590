/** What the pace of a round has to know of a VPS. */
export type Paced = {
  /** Where its sshd listens: VPSs that share one are not all asked at once. */
  readonly address: string;
  /** Null: never. */
  readonly lookedAt: Date | null;
  /** How long a look at it is likely to take. */
  readonly expectedMs: number;
};

/** VPSs that are looked at together. */
export type Batch<V> = {
  readonly vpss: readonly V[];
  /** Of its slowest member. */
  readonly expectedMs: number;
  /** They are looked at once more in the same round, from then on; null: for the first time. */
  readonly againAtMs: number | null;
};

/** What a round may use. */
export type PaceLimits = {
  readonly batchSize: number;
  /** Open at once, those of restarts under way counted. */
  readonly maxSockets: number;
  /** From the beginning of one sweep to that of the next one. */
  readonly intervalMs: number;
  /** How long a host may leave a dial without an answer. */
  readonly connectTimeoutMs: number;
  /** Whether it has to be over within the interval, for another one begins then. */
  readonly isDueToEnd: boolean;
};

/** What takes this long last time, an answer or none, shares its batches with its like. */
const SLOW_AFTER_MS = 3_000;
/** Between two batches at most: twenty-five VPSs a second hardly show on a small machine. */
const LONGEST_GAP_MS = 200;
/** Between two batches that will mostly wait. */
const SLOW_GAP_MS = 50;
/**
 * VPSs whose looks are young, and so most likely at work here: a login costs processor time, and with more of them at once
 * each would run out of time while it waits for its turn.
 */
const MOST_AT_WORK = 100;
/** OpenSSH begins to turn away connections at the tenth that has not logged in yet (MaxStartups in sshd_config(5)). */
const MOST_AT_ADDRESS = 5;
/** Writing down the last looks takes some time, too, and what is late makes the next sweep skip. As much for the waves. */
const spareMs = (intervalMs: number): number => Math.min(2_000, intervalMs / 10);

const isSlow = ({ expectedMs }: { readonly expectedMs: number }): boolean => expectedMs >= SLOW_AFTER_MS;

/**
 * The batches of a round, in their order: whoever was looked at longest ago comes first; the slow and the silent share
 * batches, and count as looked at one interval later than they were. So they come last as a rule, and are not left out for
 * ever by sweeps that do not get to the end.
 */
export function planBatches<V extends Paced>(
  vpss: readonly V[],
  { batchSize, intervalMs }: Pick<PaceLimits, 'batchSize' | 'intervalMs'>,
): Batch<V>[] {
  const age = ({ lookedAt }: Paced): number => lookedAt?.getTime() ?? -Infinity;
  const turnOf = (vps: Paced): number => age(vps) + (isSlow(vps) ? intervalMs : 0);
  const byTurn = vpss.toSorted((a, b) => compare(turnOf(a), turnOf(b)));
  const { slow = [], usual = [] } = Object.groupBy(byTurn, (vps) => (isSlow(vps) ? 'slow' : 'usual'));
  const first = ({ vpss: [vps] }: Batch<V>): number => (vps ? turnOf(vps) : Infinity);
  return [...inBatches(usual, batchSize), ...inBatches(slow, batchSize)]
    .map((members) => batchOf(members, null))
    .sort((a, b) => compare(first(a), first(b)) || Number(isSlow(a)) - Number(isSlow(b)));
}

export const batchOf = <V extends Paced>(vpss: readonly V[], againAtMs: number | null): Batch<V> => ({
  vpss,
  expectedMs: Math.max(...vpss.map(({ expectedMs }) => expectedMs)),
  againAtMs,
});

/** Of two that never were there is no difference to take. */
const compare = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0);

export function* inBatches<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}

/** How far a round has come; times in milliseconds since it began. */
export type Progress<V> = {
  readonly nowMs: number;
  /** In the order of the plan. */
  readonly waiting: readonly Batch<V>[];
  readonly underWay: readonly (Batch<V> & { readonly startedAtMs: number })[];
  /** How many connections are open, for looks and for restarts. */
  readonly open: number;
  readonly lastStartMs: number;
};

/** What a batch can wait for. */
export type Brake = 'turn' | 'sockets' | 'work' | 'address';

export type Move<V> =
  | { readonly do: 'start'; readonly batch: Batch<V> }
  /** Until then, or until something ends; null: only that helps. */
  | { readonly do: 'wait'; readonly untilMs: number | null; readonly brake: Brake }
  /** There is no time left for these. */
  | { readonly do: 'leave'; readonly batches: readonly Batch<V>[] }
  | { readonly do: 'done' };

/**
 * What to do now. How many batches are under way at once follows from it: they begin at even distances, so that a large
 * fleet is spread over its interval and a small one is done in seconds, however long the looks before them take.
 */
export function nextMove<V extends Paced>(progress: Progress<V>, limits: PaceLimits): Move<V> {
  const { nowMs, waiting, underWay, open } = progress;
  if (waiting.length === 0) return underWay.length === 0 ? { do: 'done' } : waitFor('turn', null);
  const ready = waiting.filter((batch) => isInTime(batch, nowMs, limits));
  if (ready.length === 0) {
    const late = waiting.filter(({ againAtMs }) => againAtMs === null);
    if (late.length > 0) return { do: 'leave', batches: late };
    return waitFor('turn', Math.min(...waiting.map(({ againAtMs }) => againAtMs ?? Infinity)));
  }

  const batch = ready.find(fitsBeside(underWay));
  if (batch === undefined) return waitFor('address', null);
  const turnAtMs = progress.lastStartMs + gapMs(batch, progress, limits);
  if (nowMs < turnAtMs) return waitFor('turn', turnAtMs);
  if (open > 0 && open + batch.vpss.length > limits.maxSockets) return waitFor('sockets', null);
  const young = underWay.filter((other) => !isSlow(other) && nowMs - other.startedAtMs < SLOW_AFTER_MS);
  if (!isSlow(batch) && young.length > 0 && sizeOf(young) + batch.vpss.length > MOST_AT_WORK)
    return waitFor('work', Math.min(...young.map(({ startedAtMs }) => startedAtMs)) + SLOW_AFTER_MS);
  return { do: 'start', batch };
}

const waitFor = (brake: Brake, untilMs: number | null) => ({ do: 'wait', untilMs, brake }) as const;

const sizeOf = (batches: readonly Batch<unknown>[]): number => batches.reduce((sum, { vpss }) => sum + vpss.length, 0);

/**
 * What takes longer than the interval has its time in the first half of it: it must not be left out for ever. What is
 * looked at once more is nearly done, and is not left there.
 */
function isInTime(
  { expectedMs, againAtMs }: Batch<unknown>,
  nowMs: number,
  { intervalMs, isDueToEnd }: PaceLimits,
): boolean {
  if (againAtMs !== null) return againAtMs <= nowMs;
  return !isDueToEnd || nowMs + expectedMs <= intervalMs - spareMs(intervalMs) || nowMs <= intervalMs / 2;
}

/**
 * How long after the last start the next batch begins. The usual ones have begun early enough for those after them, and
 * for one that has fallen silent since, and is silent still when it is asked once more.
 */
function gapMs<V>(next: Batch<V>, { nowMs, waiting }: Progress<V>, limits: PaceLimits): number {
  if (isSlow(next)) return SLOW_GAP_MS;
  const { batchSize, maxSockets, intervalMs, connectTimeoutMs } = limits;
  const slow = waiting.filter(isSlow);
  const atOnce = Math.max(1, Math.floor(maxSockets / batchSize));
  const waves = Math.ceil(slow.length / atOnce);
  const afterwards = waves * Math.max(0, ...slow.map(({ expectedMs }) => expectedMs));
  const endMs = Math.max(
    intervalMs - Math.max(2 * connectTimeoutMs, afterwards) - 2 * spareMs(intervalMs),
    intervalMs / 4,
  );
  return Math.min(LONGEST_GAP_MS, Math.max(0, endMs - nowMs) / (waiting.length - slow.length));
}

/** Whether no sshd is asked by too many at once; one batch by itself may. */
const fitsBeside = <V extends Paced>(underWay: readonly Batch<V>[]): ((batch: Batch<V>) => boolean) => {
  const at = new Map<string, number>();
  for (const { vpss } of underWay) for (const { address } of vpss) at.set(address, (at.get(address) ?? 0) + 1);
  return ({ vpss }) => {
    const own = Map.groupBy(vpss, ({ address }) => address);
    return [...own].every(
      ([address, { length }]) => !at.has(address) || length + (at.get(address) ?? 0) <= MOST_AT_ADDRESS,
    );
  };
};

/** What has cost a round most of its time, for people; `lostMs`: how much each has. */
export function whyTooSlow(lostMs: ReadonlyMap<Brake, number>, { maxSockets }: PaceLimits): string {
  const [brake] = [...lostMs].toSorted(([, a], [, b]) => b - a)[0] ?? ['turn'];
  switch (brake) {
    case 'sockets':
      return `all ${maxSockets} connections that SWEEP_MAX_SOCKETS allows were in use`;
    case 'work':
      return `${MOST_AT_WORK} logins were under way all the time, as many as are begun at once`;
    case 'address':
      return `many of the VPSs share an address, where at most ${MOST_AT_ADDRESS} are asked at once`;
    case 'turn':
      return 'the monitor was held up by other work, or stood still';
  }
}
