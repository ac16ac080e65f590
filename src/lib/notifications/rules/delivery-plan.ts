import { isAhead } from '../../facts/clock-jump.ts';
import type { ChannelName, NotificationKind } from '../../facts/message.ts';

/** A message that is not final yet, with what matters for its delivery. Times are milliseconds since 1970. */
export type Waiting = {
  readonly id: string;
  readonly kind: NotificationKind | 'digest';
  readonly audience: 'customer' | 'admin';
  readonly recipientId: string;
  readonly channel: ChannelName;
  /** What belongs together: the incident, or the fault of the monitor. */
  readonly thread: string | null;
  readonly status: 'pending' | 'sending';
  readonly attempts: number;
  /** An attempt broke off where the other side may have taken it: it can only be repeated, not be told otherwise. */
  readonly mayHaveArrived: boolean;
  readonly nextAttemptAtMs: number;
  readonly createdAtMs: number;
  /** When it was last taken to be sent, or else written. */
  readonly touchedAtMs: number;
};

export type DigestSettings = { readonly threshold: number; readonly windowMs: number };

/** What is to be done, in this order. */
export type Plan = {
  /** Beginnings that their endings tell, as neither has been sent. */
  readonly collapse: readonly { readonly id: string; readonly toldBy: string }[];
  /** Messages that become one, oldest first. */
  readonly digests: readonly (readonly string[])[];
  /** Messages to be sent now, oldest first. */
  readonly send: readonly string[];
};

/** What ends what. A reminder is no beginning by itself, but the ending makes it pointless. */
const ENDS = {
  up: ['down'],
  circuit_closed: ['circuit_opened', 'crash_loop', 'circuit_reminder'],
  monitor_fault_ended: ['monitor_fault_began'],
} as const satisfies Partial<Record<NotificationKind, readonly NotificationKind[]>>;

const isEnding = (kind: string): kind is keyof typeof ENDS => kind in ENDS;

/** The kinds that a message of this kind ends; empty for one that ends nothing. */
export const endedBy = (kind: string): readonly NotificationKind[] => (isEnding(kind) ? ENDS[kind] : []);
const ends = (ending: string, kind: string): boolean => endedBy(ending).some((begun) => begun === kind);

/**
 * Decides about what waits for some recipients on some channels. `waiting` holds all of it, due or not.
 * - Overtaken: an ending and its beginning both wait, so the ending tells both.
 * - Storm: messages for an admin wait until the first has waited for `windowMs`; if there are more than `threshold` by
 *   then, they become one. Customers neither wait nor get digests.
 * - An ending never passes its beginning: while that is on its way, or waits to be repeated, the ending waits too.
 */
export function planDelivery(waiting: readonly Waiting[], nowMs: number, settings: DigestSettings): Plan {
  const lanes = Map.groupBy(waiting.toSorted(byAge), ({ recipientId, channel }) => `${recipientId} ${channel}`);
  const plans = [...lanes.values()].map((lane) => planLane(lane, nowMs, settings));
  return {
    collapse: plans.flatMap(({ collapse }) => collapse),
    digests: plans.flatMap(({ digests }) => digests),
    send: plans.flatMap(({ send }) => send),
  };
}

const byAge = (a: Waiting, b: Waiting): number => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1);

/** One recipient on one channel, oldest first. */
function planLane(lane: readonly Waiting[], nowMs: number, settings: DigestSettings): Plan {
  const collapse = findOvertaken(lane);
  const overtaken = new Set(collapse.map(({ id }) => id));
  const left = lane.filter(({ id }) => !overtaken.has(id));
  const ready = left.filter((row) => row.status === 'pending' && !mustWait(row, left));

  const storms = ready.filter((row) => row.audience === 'admin' && row.kind !== 'digest' && !row.mayHaveArrived);
  const others = ready.filter((row) => !storms.includes(row));
  const isDue = ({ nextAttemptAtMs, touchedAtMs }: Waiting): boolean =>
    nextAttemptAtMs <= nowMs || isAhead(touchedAtMs, nowMs);
  // One that a clock set back since has dated ahead opens no window: that would wait until then.
  const oldestFresh = storms.find(({ attempts, createdAtMs }) => attempts === 0 && !isAhead(createdAtMs, nowMs));
  const windowIsOver = oldestFresh === undefined || oldestFresh.createdAtMs + settings.windowMs <= nowMs;
  const due = windowIsOver ? storms.filter(isDue) : [];
  const isStorm = due.length > 0 && storms.length > settings.threshold;
  return {
    collapse,
    digests: isStorm ? [ids(storms)] : [],
    send: ids([...others.filter(isDue), ...(isStorm ? [] : due)].toSorted(byAge)),
  };
}

const ids = (rows: readonly Waiting[]): string[] => rows.map(({ id }) => id);

function findOvertaken(lane: readonly Waiting[]): { id: string; toldBy: string }[] {
  const endings = lane.filter(({ kind, status, thread }) => isEnding(kind) && status === 'pending' && thread !== null);
  return lane
    .filter(({ status, mayHaveArrived }) => status === 'pending' && !mayHaveArrived)
    .flatMap((row) => {
      const ending = endings.find(({ kind, thread }) => thread === row.thread && ends(kind, row.kind));
      return ending ? [{ id: row.id, toldBy: ending.id }] : [];
    });
}

/** Endings, and digests, which may hold some, come after what they may be the end of. */
function mustWait(row: Waiting, lane: readonly Waiting[]): boolean {
  if (!isEnding(row.kind) && row.kind !== 'digest') return false;
  return lane.some(
    (other) =>
      other.id !== row.id &&
      ((other.kind === 'digest' && byAge(other, row) < 0) ||
        (row.thread !== null && other.thread === row.thread && ends(row.kind, other.kind))),
  );
}

/** A beginning and what became of it; of one in a digest, `status` is that of the digest. */
export type Beginning = { readonly kind: NotificationKind | 'digest'; readonly status: string };

/**
 * The beginning that an ending has to tell as well, as nobody has told it; null where it was told, or where there was
 * none to tell.
 */
export function untoldBeginning<Row extends Beginning>(beginnings: readonly Row[]): Row | null {
  const real = beginnings.filter(({ kind }) => kind !== 'circuit_reminder');
  return real.some(({ status }) => status === 'sent') ? null : (real[0] ?? null);
}

const FIRST_DELAY_MS = 15_000;
const LONGEST_DELAY_MS = 30 * 60_000;
/** How long a message is worth trying. */
export const GIVE_UP_AFTER_MS = 3 * 24 * 60 * 60_000;

/**
 * When to try again after so many attempts (1 or more): 15 s, 30 s, 1 min … 30 min, each up to a fifth shorter or longer
 * (`random` from 0 to 1), so that what failed together does not come back together. Never before the time that the other
 * side has asked for.
 */
export function nextAttemptAt(attempts: number, nowMs: number, random: number, retryAfterMs = 0): number {
  const delayMs = FIRST_DELAY_MS * 2 ** Math.min(attempts - 1, 20) * (0.8 + 0.4 * random);
  return nowMs + Math.round(Math.max(Math.min(delayMs, LONGEST_DELAY_MS), retryAfterMs));
}

/** Whether a message that could not be sent now is to be given up. */
export const isGivenUp = (createdAtMs: number, nowMs: number): boolean => nowMs - createdAtMs >= GIVE_UP_AFTER_MS;
