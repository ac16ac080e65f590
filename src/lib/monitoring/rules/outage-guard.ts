/** What a sweep found, of the VPSs that are not under maintenance. */
export type Reachability = {
  /** Reachable at their last check, before this sweep. */
  readonly reachableBefore: number;
  /** Those of them that are not, now. */
  readonly lost: number;
};

const LEAST_LOST = 3;
const LOST_SHARE = 0.4;

/**
 * Whether so much of the fleet has become unreachable at once that it is more likely us: our network, our resolver, our
 * firewall. Such a sweep is inconclusive: it says nothing about any VPS.
 */
export const looksLikeOurOutage = ({ reachableBefore, lost }: Reachability): boolean =>
  lost >= Math.max(LEAST_LOST, reachableBefore * LOST_SHARE);

/**
 * The same of a sweep that has left `unseen` VPSs to what an admin has asked for: true or false where that holds whatever
 * they are, null where it depends on them.
 */
export function looksLikeOurOutageInPart({ reachableBefore, lost }: Reachability, unseen: number): boolean | null {
  const atMost = { reachableBefore: reachableBefore + unseen, lost: lost + unseen };
  if (!looksLikeOurOutage(atMost)) return false;
  return looksLikeOurOutage({ ...atMost, lost }) || null;
}
