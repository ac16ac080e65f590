/**
 * How long strangers may keep the event loop at a stretch. A piece of work is never cut, so that a turn may last as much
 * longer as its last piece takes: some milliseconds, where that is a key exchange.
 */
const TURN_MS = 8;

const waiting: (() => void)[] = [];
let usedMs = 0;
let isWorking = false;
let endOfTurn: NodeJS.Immediate | null = null;

/**
 * Does `work` for a peer at once or, where this turn of the event loop has done enough for peers, in one of the next, in
 * the order in which it was asked for: pages, timers and other peers have theirs in between. `work` must not throw.
 */
export function takeTurn(work: () => void): void {
  waiting.push(work);
  if (!isWorking) workOff();
}

function workOff(): void {
  isWorking = true;
  try {
    while (usedMs < TURN_MS) {
      const work = waiting.shift();
      if (work === undefined) break;
      const startedAt = performance.now();
      work();
      usedMs += performance.now() - startedAt;
    }
  } finally {
    // Even if one has thrown, which it must not: else no peer would ever be heard again.
    isWorking = false;
  }
  endOfTurn ??= setImmediate(beginNextTurn);
  // Nobody waits for it unless there is work left: a process may end without it.
  if (waiting.length > 0) endOfTurn.ref();
  else endOfTurn.unref();
}

function beginNextTurn(): void {
  endOfTurn = null;
  usedMs = 0;
  if (waiting.length > 0) workOff();
}
