import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { databaseTrouble } from './trouble.ts';

/** better-sqlite3 is synchronous: while it waits for a lock, the whole process waits. So it waits this long only. */
export const BUSY_TIMEOUT_MS = 100;
/** How long another process may hold the lock before an attempt is given up: for jobs, and where a person waits. */
const PATIENCE_MS = 10_000;
const PATIENCE_WITH_PERSON_MS = 2_000;

const requests = new AsyncLocalStorage<{ isOpen: boolean }>();

/**
 * For the time of `work` a person waits for its answer: a locked database is told soon. What it has begun and left to
 * go on in the background has the patience of a job again, once `work` is over.
 */
export async function whilePersonWaits<T>(work: () => Promise<T>): Promise<T> {
  const request = { isOpen: true };
  try {
    return await requests.run(request, work);
  } finally {
    request.isOpen = false;
  }
}

/** Repeats `attempt` while another process holds the lock, without blocking; anything else it throws goes through. */
export async function whileBusy<T>(attempt: () => T): Promise<T> {
  const startMs = performance.now();
  for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, 500)) {
    try {
      return attempt();
    } catch (error) {
      const patienceMs = requests.getStore()?.isOpen === true ? PATIENCE_WITH_PERSON_MS : PATIENCE_MS;
      if (databaseTrouble(error)?.kind !== 'busy' || performance.now() - startMs > patienceMs) throw error;
      await sleep(pauseMs);
    }
  }
}
