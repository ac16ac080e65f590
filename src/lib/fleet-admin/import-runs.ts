import { randomBytes } from 'node:crypto';
import { partOf, type App } from '../app.ts';
import { adminName, type Actor } from '../auth/actor.ts';
import type { ImportResult } from '../facts/import-result.ts';
import { createLog, messageOf } from '../log.ts';
import type { Candidate, Known } from './import-entries.ts';
import { addTried, tryAll, type ImportMode, type Tried } from './import-fleet.ts';
import { RefusedError } from './the-vps.ts';

/** How far an import on a page is. Its keys are in the memory of this process until it is over, and nowhere else. */
export type ImportRun = {
  readonly id: string;
  readonly startedAt: Date;
  readonly total: number;
  /** How many have been tried. */
  readonly done: number;
  readonly isRunning: boolean;
  /** Null as long as it runs. */
  readonly results: readonly ImportResult[] | null;
  /** How many work and were not added; they can be, still. */
  readonly addable: number;
  /** Why nothing was added, where that is no VPS's fault: a sentence without its full stop. */
  readonly problem: string | null;
};

type Run = {
  readonly id: string;
  readonly startedAt: Date;
  readonly total: number;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
  done: number;
  results: readonly ImportResult[] | null;
  problem: string | null;
  /** What may still be added. */
  tried: readonly Tried[];
  known: readonly Known[];
};

/** How long after its end what was tried may still be added, and be read. */
const KEEP_MS = 30 * 60_000;
const MOST_RUNS = 5;

const log = createLog('wardround');

/** The imports that were begun on pages of this process, one at a time. */
export class ImportRuns {
  readonly #app: App;
  readonly #runs = new Map<string, Run>();

  constructor(app: App) {
    this.#app = app;
  }

  /** Begins to try them, and returns at once with the name of the run. Throws `RefusedError` while another one goes on. */
  begin(
    actor: Actor,
    { candidates, known }: { readonly candidates: readonly Candidate[]; readonly known: readonly Known[] },
    mode: ImportMode,
  ): string {
    adminName(actor);
    if ([...this.#runs.values()].some(({ results }) => results === null))
      throw new RefusedError('another import is under way; wait until it has ended');
    for (const id of [...this.#runs.keys()].slice(0, -MOST_RUNS + 1)) this.#runs.delete(id);
    const id = randomBytes(9).toString('base64url');
    const stop = new AbortController();
    const { promise, resolve } = Promise.withResolvers<void>();
    const run: Run = {
      id,
      startedAt: new Date(),
      total: candidates.length,
      stop,
      ended: promise,
      done: 0,
      results: null,
      problem: null,
      tried: [],
      known,
    };
    this.#runs.set(id, run);
    void this.#carryOut(run, actor, candidates, mode).finally(resolve);
    return id;
  }

  async #carryOut(run: Run, actor: Actor, candidates: readonly Candidate[], mode: ImportMode): Promise<void> {
    const onTried = (): void => {
      run.done++;
    };
    run.tried = await tryAll(this.#app, candidates, { signal: run.stop.signal, onTried });
    await this.#add(run, actor, run.stop.signal.aborted ? 'none' : mode);
    setTimeout(() => this.#runs.delete(run.id), KEEP_MS).unref();
  }

  async #add(run: Run, actor: Actor, mode: ImportMode): Promise<void> {
    try {
      run.results = await addTried(this.#app, actor, run, mode);
      run.problem = null;
    } catch (problem) {
      run.problem =
        problem instanceof RefusedError ? problem.message : 'something went wrong on our side; the log says more';
      if (!(problem instanceof RefusedError)) log.error(`an import could not be saved: ${messageOf(problem)}`);
      run.results = await addTried(this.#app, actor, run, 'none');
    }
    // What has been added needs its key here no more.
    if (run.results.some(({ outcome }) => outcome === 'added')) run.tried = [];
  }

  /** Adds those that work, after an import that has added nothing. Throws `RefusedError` where there are none. */
  async addGood(actor: Actor, id: string): Promise<void> {
    const run = this.#runs.get(id);
    if (!run || addableOf(run) === 0)
      throw new RefusedError('there is nothing left of this import that could be added');
    await this.#add(run, actor, 'good');
  }

  /** No more is tried, and nothing is added. */
  stop(id: string): void {
    this.#runs.get(id)?.stop.abort();
  }

  /** How far it is; undefined where it was never begun here, or is forgotten. */
  read(id: string): ImportRun | undefined {
    const run = this.#runs.get(id);
    if (!run) return undefined;
    const { startedAt, total, done, results, problem } = run;
    return { id, startedAt, total, done, isRunning: results === null, results, addable: addableOf(run), problem };
  }

  /** Ends them all, for the end of the server. */
  async stopAll(): Promise<void> {
    const running = [...this.#runs.values()];
    for (const { stop } of running) stop.abort();
    await Promise.all(running.map(({ ended }) => ended));
  }
}

const addableOf = ({ results, tried }: Run): number =>
  results === null ? 0 : tried.filter(({ trial }) => trial?.isGood === true).length;

export const importRunsOf = (app: App): ImportRuns => partOf(app, 'import runs', () => new ImportRuns(app));
