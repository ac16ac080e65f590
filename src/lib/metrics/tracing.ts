import { partOf, type App } from '../app.ts';

/** Counts, words of lists, and the ids of VPSs: nothing that a host or a person has typed. */
export type TraceFacts = Readonly<Record<string, string | number | boolean>>;

/** Something that takes time, within something else that does. */
export type Span = {
  begin(name: string, facts: TraceFacts): Span;
  /** `failed`: through a fault of ours. */
  end(facts?: TraceFacts, failed?: boolean): void;
};

const UNTRACED: Span = { begin: () => UNTRACED, end: () => undefined };

const slotOf = (app: App) => partOf(app, 'tracing', () => ({ root: UNTRACED }));

/** Begins a trace where somebody keeps traces in this process; else nothing. */
export const beginTrace = (app: App, name: string, facts: TraceFacts): Span => slotOf(app).root.begin(name, facts);

/** From now on traces begin in `root`, which must not throw. */
export const traceWith = (app: App, root: Span): void => {
  slotOf(app).root = root;
};
