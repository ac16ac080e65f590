import type { HealthState } from './transition.ts';

/** A VPS is looked at on news at most once in this time. */
const APART_MS = 10_000;

/** When a VPS may next be looked at on news, by the clock of `nowMs`; `lastMs`: the last time, null: never. */
export const nextLookAtMs = (lastMs: number | null, nowMs: number): number =>
  lastMs === null ? nowMs : Math.max(nowMs, lastMs + APART_MS);

/** What is told of a VPS whose bus has ended: what happened there since is not known. No word of systemd's. */
export const BUS_ENDED = 'bus ended';

/**
 * Whether a look is called for by what the bus has told last. Not while the unit is on its way up or down: it will tell
 * where it comes to, and the sweep sees what gets stuck. `status`: what is written down of it, which
 * has to be something else; null: nothing, as it was never looked at.
 */
export function newsCalls(activeState: string | undefined, status: HealthState['status'] | null): boolean {
  if (status === null) return false;
  switch (activeState) {
    case 'inactive':
    case 'failed':
      return status === 'healthy';
    case 'active':
      return status !== 'healthy';
    case BUS_ENDED:
      return true;
    case undefined:
    default:
      return false;
  }
}
