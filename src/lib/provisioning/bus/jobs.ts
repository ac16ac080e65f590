/** Ends of jobs that are remembered until the order that began them has been answered. */
const MOST_ENDS = 8;

/** How jobs of one unit end. systemd may say that one has ended before it has said which one it is. */
export class Jobs {
  readonly #ends = new Map<string, string>();
  #awaited: { readonly path: string; readonly settle: (end: string | Error) => void } | null = null;

  /** What has ended so far belongs to earlier orders. */
  forget(): void {
    this.#ends.clear();
  }

  /** How this job ends; null when it has not within `timeoutMs`, or nobody wants to know any more. */
  endOf(
    path: string,
    { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal | undefined },
  ): Promise<string | null> {
    const end = this.#ends.get(path);
    if (end !== undefined) return Promise.resolve(end);
    return new Promise((resolve, reject) => {
      const giveUp = (): void => settle(null);
      const settle = (found: string | Error | null): void => {
        clearTimeout(deadline);
        signal?.removeEventListener('abort', giveUp);
        this.#awaited = null;
        if (found instanceof Error) reject(found);
        else resolve(found);
      };
      const deadline = setTimeout(giveUp, timeoutMs);
      this.#awaited = { path, settle };
      signal?.addEventListener('abort', giveUp, { once: true });
      if (signal?.aborted) giveUp();
    });
  }

  onRemoved(path: string, end: string): void {
    if (this.#awaited?.path === path) this.#awaited.settle(end);
    else if (this.#ends.size < MOST_ENDS) this.#ends.set(path, end);
  }

  /** Nothing more will be heard. */
  onEnd(why: Error): void {
    this.#awaited?.settle(why);
  }
}
