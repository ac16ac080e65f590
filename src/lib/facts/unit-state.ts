/** What systemd knows of a unit that is not active; empty strings where it said nothing. Source: systemctl(1), `show`. */
export type UnitFacts = {
  readonly loadState: string;
  readonly subState: string;
  readonly result: string;
  /** Another one with each start; a start that was refused changes nothing. Source: systemd.exec(5). */
  readonly invocationId: string;
  /** How long one step of a start may take, in milliseconds; `Infinity` where the unit sets no limit; null: not known. */
  readonly startTimeoutMs: number | null;
  /** How long ago its state last changed, and it last left `inactive`: by the clock of the host that nobody can set. */
  readonly stateAgeMs: number | null;
  readonly notInactiveMs: number | null;
};

/**
 * Whether the unit is being started at this moment. While it waits for its next automatic start it is called `activating`
 * as well, but then its last one has failed.
 */
export const isBeingStarted = (activeState: string, { subState }: UnitFacts): boolean =>
  activeState === 'activating' && !subState.startsWith('auto-restart');

/** Words of `is-active` for a unit that is up. Source: systemctl(1); `refreshing` since systemd 257. */
const UP = ['active', 'reloading', 'refreshing'];
const KNOWN = [...UP, 'inactive', 'failed', 'activating', 'deactivating', 'unknown'];

/** Whether `is-active` can print this word: anything else came from sudo, a shell or a stranger. */
export const isKnownState = (activeState: string): boolean => KNOWN.includes(activeState);

/** Up is what says so twice: `activating` is a hopeful word with exit code 3, and exit code 0 alone says little. */
export const isUp = (activeState: string, exitCode: number): boolean => exitCode === 0 && UP.includes(activeState);

/** `failed (exit-code)`, `activating (auto-restart)`, or just `inactive`. */
export function describeState(activeState: string, unit: UnitFacts | null): string {
  const detail = activeState === 'failed' ? unit?.result : activeState === 'activating' ? unit?.subState : '';
  return detail && detail !== activeState ? `${activeState} (${detail})` : activeState;
}
