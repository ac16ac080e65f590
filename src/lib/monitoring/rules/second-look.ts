import { looksLikeOurOutage } from './outage-guard.ts';
import type { Seen } from './round.ts';
import { isSilent } from './verdict.ts';

/**
 * Whether a VPS is looked at once more, in the same round, before what was seen counts: it was reachable, and did not
 * answer now. One lost packet at the wrong time is no VPS that is down.
 */
export const isSeenTwice = ({ check, vps }: Seen): boolean =>
  isSilent(check.verdict) && !check.maintenance && vps.state.reachable === true;

/**
 * Whether so many have fallen silent that it is our own outage whatever a second look says. `silent`: those of them that
 * were reachable before, like `reachableBefore` of the whole round.
 */
export const isSecondLookInVain = (silent: number, reachableBefore: number): boolean =>
  looksLikeOurOutage({ lost: silent, reachableBefore });

const SOONEST_MS = 250;
const LATEST_MS = 1_000;

/** How long after the first look; `chance` (0 to 1) keeps those apart that fell silent together. */
export const secondLookDelayMs = (chance: number): number => SOONEST_MS + chance * (LATEST_MS - SOONEST_MS);
