import { batchOf, nextMove, whyTooSlow, type Batch, type Brake, type Paced, type PaceLimits } from './rules/pace.ts';

type Edge<V> = {
  /** Looks at a batch, and resolves when what it found is written down; to those that are looked at once more. */
  readonly begin: (batch: Batch<V>) => Promise<readonly V[]>;
  /** There is no time left for these, and why. */
  readonly leave: (vpss: readonly V[], why: string) => void;
  /** How long after the first look a second one is due. */
  readonly againAfterMs: () => number;
  /** How many connections are open, for looks and for restarts. */
  readonly open: () => number;
  readonly stop: AbortSignal;
  /** Whether no batch may begin any more. */
  readonly isStopped: () => boolean;
};

/** A single look or a restart may end meanwhile, and give its connection back. */
const LONGEST_WAIT_MS = 250;

/**
 * Lets the batches begin when `rules/pace.ts` says so, and waits until all that began have ended. Rejects with the first
 * error of one of them, when the others have ended too.
 */
export const runPaced = async <V extends Paced>(
  plan: readonly Batch<V>[],
  limits: PaceLimits,
  edge: Edge<V>,
): Promise<void> => new PacedRun(plan, limits, edge).run();

class PacedRun<V extends Paced> {
  readonly #beganAtMs = performance.now();
  #waiting: readonly Batch<V>[];
  readonly #underWay = new Map<Promise<void>, Batch<V> & { readonly startedAtMs: number }>();
  #lastStartMs = -Infinity;
  readonly #lostMs = new Map<Brake, number>();
  readonly #errors: unknown[] = [];
  #wake = (): void => undefined;
  readonly #limits: PaceLimits;
  readonly #edge: Edge<V>;

  constructor(plan: readonly Batch<V>[], limits: PaceLimits, edge: Edge<V>) {
    this.#waiting = plan;
    this.#limits = limits;
    this.#edge = edge;
  }

  async run(): Promise<void> {
    const wake = (): void => this.#wake();
    this.#edge.stop.addEventListener('abort', wake);
    try {
      await this.#runAll();
    } finally {
      // Node keeps a signal that was made of others, and with it all that listens, for as long as one of those lives.
      this.#edge.stop.removeEventListener('abort', wake);
    }
  }

  async #runAll(): Promise<void> {
    while (!this.#isStopped()) {
      const move = this.#nextMove();
      if (move.do === 'start') this.#start(move.batch);
      else if (move.do === 'wait') await this.#wait(move);
      else if (move.do === 'leave') this.#leave(move.batches);
      else break;
    }
    await Promise.all(this.#underWay.keys());
    if (this.#errors.length > 0) throw this.#errors[0];
  }

  #leave(batches: readonly Batch<V>[]): void {
    this.#waiting = this.#waiting.filter((batch) => !batches.includes(batch));
    const vpss = batches.flatMap((batch) => batch.vpss);
    this.#edge.leave(vpss, whyTooSlow(this.#lostMs, this.#limits));
  }

  #nextMove = () =>
    nextMove(
      {
        nowMs: this.#elapsedMs(),
        waiting: this.#waiting,
        underWay: [...this.#underWay.values()],
        open: this.#edge.open(),
        lastStartMs: this.#lastStartMs,
      },
      this.#limits,
    );

  #start(batch: Batch<V>): void {
    const startedAtMs = this.#elapsedMs();
    this.#lastStartMs = startedAtMs;
    this.#waiting = this.#waiting.filter((other) => other !== batch);
    const looking = this.#edge
      .begin(batch)
      .then((again) => {
        if (again.length > 0)
          this.#waiting = [batchOf(again, this.#elapsedMs() + this.#edge.againAfterMs()), ...this.#waiting];
      })
      .catch((error: unknown) => void this.#errors.push(error))
      .finally(() => {
        this.#underWay.delete(looking);
        this.#wake();
      });
    this.#underWay.set(looking, { ...batch, startedAtMs });
  }

  /** Until that time, unless a batch ends before. */
  async #wait({ untilMs, brake }: { readonly untilMs: number | null; readonly brake: Brake }): Promise<void> {
    const sinceMs = this.#elapsedMs();
    const forMs = untilMs === null ? LONGEST_WAIT_MS : Math.max(0, Math.min(LONGEST_WAIT_MS, untilMs - sinceMs));
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, forMs);
    });
    clearTimeout(timer);
    // To wait for its turn is the plan; to get it late is not.
    const lostMs = this.#elapsedMs() - (brake === 'turn' ? (untilMs ?? Infinity) : sinceMs);
    this.#lostMs.set(brake, (this.#lostMs.get(brake) ?? 0) + Math.max(0, lostMs));
  }

  #isStopped = (): boolean => this.#errors.length > 0 || this.#edge.isStopped();

  #elapsedMs = (): number => performance.now() - this.#beganAtMs;
}
