const LOOP_WINDOW_MS = 30 * 60_000;
/** More within the window is a crash loop, which systemd keeps alive. */
const MOST_RESTARTS = 5;

/** What was written down of such restarts. */
export type SelfRestart = { readonly at: Date; readonly restarts: number; readonly isLoop: boolean };

export const loopWindowStart = (now: Date): Date => new Date(now.getTime() - LOOP_WINDOW_MS);

/**
 * Whether these restarts, with those of the last half hour (`lately`, newest first), are a crash loop, and whether that is
 * news: a loop goes on until systemd has left the unit alone for half an hour.
 */
export function judgeSelfRestarts(
  restarts: number,
  lately: readonly SelfRestart[],
): { readonly isLoop: boolean; readonly isNew: boolean; readonly counted: number } {
  const counted = lately.reduce((sum, one) => sum + one.restarts, restarts);
  const goesOn = lately[0]?.isLoop ?? false;
  return { isLoop: goesOn || counted > MOST_RESTARTS, isNew: !goesOn && counted > MOST_RESTARTS, counted };
}
