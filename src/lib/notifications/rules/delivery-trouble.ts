import { isAhead } from '../../facts/clock-jump.ts';
import type { SendResult } from '../../facts/delivery.ts';

/**
 * That nothing gets through: by a channel, or to the target of one recipient. It begins with the first attempt that
 * failed and ends with the first that worked.
 */
export type Trouble = {
  readonly since: Date;
  /** Attempts in a row that are to be repeated. */
  readonly failures: number;
  /** Messages in a row that were refused for good. */
  readonly refusals: number;
  readonly reason: string;
  /** When admins were told; null: not yet. */
  readonly toldAt: Date | null;
  /** When the target was switched off, since it refuses for good. */
  readonly switchedOffAt: Date | null;
};

/** One page that is being deployed may say 404; a target that has refused so many messages refuses all of them. */
const OFF_AFTER_REFUSALS = 3;
/** What has passed by then is not worth a message. */
const TOLD_AFTER_MS = 5 * 60_000;
const TOLD_AFTER_FAILURES = 3;

/** The trouble after one more attempt that has not worked. */
export function advanceTrouble(
  before: Trouble | null,
  result: Exclude<SendResult, { outcome: 'sent' }>,
  { now, mayBeSwitchedOff }: { readonly now: Date; readonly mayBeSwitchedOff: boolean },
): Trouble {
  const { since, failures, refusals, toldAt, switchedOffAt } = before ?? {
    ...{ since: now, failures: 0, refusals: 0, toldAt: null, switchedOffAt: null },
  };
  const isRefused = result.outcome === 'rejected';
  const refused = refusals + (isRefused ? 1 : 0);
  const isOff = isRefused && mayBeSwitchedOff && (result.isGone === true || refused >= OFF_AFTER_REFUSALS);
  return {
    since: isAhead(since, now) ? now : since,
    failures: failures + (isRefused ? 0 : 1),
    refusals: refused,
    reason: result.reason,
    toldAt,
    switchedOffAt: switchedOffAt ?? (isOff ? now : null),
  };
}

/** Whether admins are to be told now, once. */
export const isWorthTelling = ({ since, failures, toldAt, switchedOffAt }: Trouble, now: Date): boolean =>
  toldAt === null &&
  (switchedOffAt !== null || (failures >= TOLD_AFTER_FAILURES && now.getTime() - since.getTime() >= TOLD_AFTER_MS));
