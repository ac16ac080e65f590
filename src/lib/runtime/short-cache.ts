export type ShortCache<T> = (key: string, make: () => Promise<T>) => Promise<T>;

type Entry<T> = { readonly madeAtMs: number; readonly value: Promise<T> };

/**
 * Makes a thing at most once in `keepMs`, whoever asks for it how often; those who ask while it is being made wait for the
 * same one. Holds `entries` of them, the newest. What could not be made, or is not `worthKeeping`, is made anew.
 */
export function createShortCache<T>({
  keepMs,
  entries,
  worthKeeping,
  nowMs = () => performance.now(),
}: {
  readonly keepMs: number;
  readonly entries: number;
  readonly worthKeeping: (value: T) => boolean;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs?: () => number;
}): ShortCache<T> {
  const kept = new Map<string, Entry<T>>();
  return (key, make) => {
    const now = nowMs();
    const found = kept.get(key);
    if (found && now - found.madeAtMs < keepMs) return found.value;
    const entry: Entry<T> = { madeAtMs: now, value: make() };
    const forget = (): void => {
      if (kept.get(key) === entry) kept.delete(key);
    };
    entry.value.then((value) => worthKeeping(value) || forget(), forget);
    // Anew at its end, so that the first one is the oldest.
    kept.delete(key);
    kept.set(key, entry);
    for (const oldest of kept.keys()) {
      if (kept.size <= entries) break;
      kept.delete(oldest);
    }
    return entry.value;
  };
}
