import { partOf, type App } from '../app.ts';
import { LINK_KINDS } from '../facts/link.ts';
import { WITHHELD } from '../facts/withheld.ts';

/*
 * What the monitor does, as it is counted for `/metrics`: too frequent to be written down one by one. These lists are all
 * that a label may say, so that no series is made of what a host or a person has typed.
 */
export const LINKS = ['none', ...LINK_KINDS] as const;
export const LOOK_OUTCOMES = [
  'healthy',
  'starting',
  'not_active',
  'in_transition',
  'misconfigured',
  'unreachable',
  'inconclusive',
] as const;
export const RESTART_OUTCOMES = [
  'succeeded',
  'failed',
  'not_sent',
  'unknown',
  'still_starting',
  'interrupted',
] as const;
export const ASKED_BY = ['monitor', 'admin'] as const;
/** Why a restart that a stopped service calls for was not sent. */
export const WITHHELD_BY = [
  'maintenance',
  'circuit_open',
  'budget_spent',
  'trial_spent',
  ...(Object.keys(WITHHELD) as (keyof typeof WITHHELD)[]),
] as const;
export const SWEEP_RESULTS = ['completed', 'unsaved', 'interrupted'] as const;

type OneOf<List extends readonly string[]> = List[number];

export type Counted =
  /** One VPS was looked at; `none`: nobody was asked, or what came says nothing, through a fault of ours. */
  | {
      readonly kind: 'look';
      readonly link: OneOf<typeof LINKS>;
      readonly outcome: OneOf<typeof LOOK_OUTCOMES>;
      readonly durationMs: number;
    }
  /** A restart came to its end, the look after it included. */
  | {
      readonly kind: 'restart';
      readonly outcome: OneOf<typeof RESTART_OUTCOMES>;
      readonly askedBy: OneOf<typeof ASKED_BY>;
      readonly durationMs: number;
    }
  /** A bus has told by itself what its unit does. */
  | { readonly kind: 'news' }
  | { readonly kind: 'withheld'; readonly by: OneOf<typeof WITHHELD_BY> }
  | { readonly kind: 'sweep'; readonly result: OneOf<typeof SWEEP_RESULTS>; readonly durationMs: number };

const slotOf = (app: App) => partOf(app, 'counting', () => ({ counter: null as ((what: Counted) => void) | null }));

/** Tells whoever counts in this process, if anybody does: on the command line nobody asks for the sums. */
export const count = (app: App, what: Counted): void => slotOf(app).counter?.(what);

/** From now on `counter`, which must not throw, is told of everything that is counted. */
export const countWith = (app: App, counter: (what: Counted) => void): void => {
  slotOf(app).counter = counter;
};
