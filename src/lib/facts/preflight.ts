/** What is looked at before a VPS is taken on board, in this order. */
export const PREFLIGHT_STEPS = {
  resolve: 'Name',
  address: 'Address',
  dial: 'Connection',
  host_key: 'Host key',
  login: 'Login',
  rights: 'Rights',
  unit: 'Service',
  state: 'State',
  link: 'Link',
} as const;
export type PreflightStep = keyof typeof PREFLIGHT_STEPS;
export const STEP_NAMES = Object.keys(PREFLIGHT_STEPS) as readonly PreflightStep[];

/** What became of a step, in words that can be shown to admins as they are. */
export type StepOutcome = {
  readonly step: PreflightStep;
  /** `noted`: good enough, and there is something to be said of it; `skipped`: there was nothing to look at. */
  readonly verdict: 'passed' | 'noted' | 'failed' | 'skipped';
  /** What was seen: a sentence. */
  readonly saw: string;
  /** Why that is so, and what it means; empty where nothing has to be said. */
  readonly why: string;
  /** What mends it, to be typed in; null where there is nothing to mend, or no command for it. `on`: whose terminal. */
  readonly command: { readonly on: 'vps' | 'here'; readonly text: string } | null;
};

/** Whether a VPS may be taken on board after that. */
export const hasPassed = (outcomes: readonly StepOutcome[]): boolean =>
  outcomes.length > 0 && outcomes.every(({ verdict }) => verdict !== 'failed');

/** What kept it from passing; undefined where nothing did. */
export const failedStep = (outcomes: readonly StepOutcome[]): StepOutcome | undefined =>
  outcomes.find(({ verdict }) => verdict === 'failed');
