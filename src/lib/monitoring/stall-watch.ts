const TICK_MS = 500;
/** Busy is not stalled: what a loaded machine does to a timer stays below this. */
const TOLERANCE_MS = 2_000;

export type StallWatch = {
  /** Whether this process has stood still at some time since `startMs` (of `performance.now()`). */
  stalledSince(startMs: number): boolean;
  stop(): void;
};

/**
 * Notices when this process was suspended (SIGSTOP, a laptop's lid, a frozen virtual machine) or its event loop blocked:
 * what ran out of time meanwhile ran out of ours. The clock that never stops and the wall clock are both compared, as the
 * first one stands still while a machine sleeps.
 */
export function watchStalls(): StallWatch {
  let lastMs = performance.now();
  let lastWallMs = Date.now();
  let stalledAtMs = -Infinity;

  const look = (): void => {
    const nowMs = performance.now();
    const wallMs = Date.now();
    const lateMs = Math.max(nowMs - lastMs, wallMs - lastWallMs) - TICK_MS;
    if (lateMs > TOLERANCE_MS) stalledAtMs = nowMs;
    lastMs = nowMs;
    lastWallMs = wallMs;
  };
  const ticking = setInterval(look, TICK_MS);
  ticking.unref();
  return {
    stalledSince: (startMs) => {
      // After a standstill, what a socket has to say may come before the timer's turn.
      look();
      return stalledAtMs >= startMs;
    },
    stop: () => clearInterval(ticking),
  };
}
