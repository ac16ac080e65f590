/**
 * A password hash fills a thread for a tenth of a second and 16 MB of memory. Name look-ups wait for the same threads, so
 * a stranger who sends fifty sign-ins at once must not have them all.
 */
export const HASHES = { atOnce: 2, waiting: 8 };
/** When to try again: by then the queue has long been worked off. */
const RETRY_AFTER_MS = 5_000;

/** Nothing was hashed or compared, as too much waited already. */
export class TooManyHashesError extends Error {
  override readonly name = 'TooManyHashesError';
  constructor() {
    super('too many passwords are being checked at the moment');
  }
}

export type Gate = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * Runs what it is given, `atOnce` at a time and in the order in which it comes. While `waiting` more wait already, it
 * rejects with `TooManyHashesError` and does not run the work at all.
 */
export function createGate({ atOnce, waiting }: typeof HASHES): Gate {
  const queue: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    // Whoever ends hands the place over, so that nobody who comes later can take it.
    if (running >= atOnce) {
      if (queue.length >= waiting) throw new TooManyHashesError();
      await new Promise<void>((resolve) => queue.push(resolve));
    } else running++;
    try {
      return await work();
    } finally {
      const next = queue.shift();
      if (next) next();
      else running--;
    }
  };
}

/** The one gate of this process: its threads are shared, whatever app asks. */
export const hashGate: Gate = createGate(HASHES);

/** The server has no time for that now; nobody has guessed anything. */
export type Busy = { readonly kind: 'busy'; readonly retryAt: Date };

/** What `work` gives, or that it came to nothing because too many passwords are being checked. */
export async function unlessBusy<T>(now: Date, work: () => Promise<T>): Promise<T | Busy> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof TooManyHashesError)) throw error;
    return { kind: 'busy', retryAt: new Date(now.getTime() + RETRY_AFTER_MS) };
  }
}
