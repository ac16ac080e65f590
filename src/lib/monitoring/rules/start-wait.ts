import type { HealthCheck } from '../../db/schema.ts';
import { shortDuration } from '../../facts/time-words.ts';
import { isBeingStarted, type UnitFacts } from '../../facts/unit-state.ts';

/** A start that is under way, and until when it is waited for. */
export type Start = {
  /** Empty where systemd is too old to tell. */
  readonly invocationId: string;
  readonly since: Date;
  readonly until: Date;
};

/** However long the unit itself would give it. */
export const LONGEST_START_MS = 10 * 60_000;

/**
 * The start that is under way; null: there is none, or nobody knows how long it may take. `seen` is the one that the last
 * look has found.
 *
 * Two clocks tell how old it is. The host's counts from boot, so that it cannot be wrong, but knows the start only between
 * two bounds: it is no older than the time since the unit was last `inactive`, which may include a wait before an
 * automatic start (`RestartMode=direct`), and no younger than its present step. What we have seen ourselves lies between
 * them, unless our own clock was set meanwhile: then the nearer bound counts. Where the host tells nothing, what we have
 * seen is all there is.
 *
 * `TimeoutStartSec=` is for each step (`start-pre`, `start`, `start-post`), as systemd has it: a start of several steps of
 * 9 s goes on with a timeout of 12 s (seen with 252). The longest time is for all of them.
 */
export function startUnderWay(activeState: string, unit: UnitFacts, seen: Start | null, now: Date): Start | null {
  const { invocationId, startTimeoutMs, stateAgeMs, notInactiveMs } = unit;
  if (startTimeoutMs === null || !isBeingStarted(activeState, unit)) return null;
  const nowMs = now.getTime();
  const youngestMs = nowMs - (stateAgeMs ?? 0);
  const oldestMs = nowMs - (notInactiveMs ?? Infinity);
  const seenMs = seen?.invocationId === invocationId ? seen.since.getTime() : youngestMs;
  const sinceMs = Math.max(oldestMs, Math.min(seenMs, youngestMs));
  const stepSinceMs = stateAgeMs === null ? sinceMs : youngestMs;
  const untilMs = Math.min(stepSinceMs + startTimeoutMs, sinceMs + LONGEST_START_MS);
  return { invocationId, since: new Date(sinceMs), until: new Date(untilMs) };
}

/** Whether it is waited for at `now`. */
export const isWaitedFor = ({ until }: Start, now: Date): boolean => now < until;

/** `starting since 40 s`. */
export const startingSince = ({ since }: Pick<Start, 'since'>, now: Date): string =>
  `starting since ${shortDuration(now.getTime() - since.getTime())}`;

/** Whether the start that was waited for has failed, since another one is under way. Where there is no name, nobody knows. */
export const isAnotherStart = (seen: Start | null, { invocationId }: Start): boolean =>
  seen !== null && seen.invocationId !== '' && invocationId !== '' && seen.invocationId !== invocationId;

export type StartColumns = Pick<HealthCheck, 'startingInvocation' | 'startingSince' | 'startingUntil'>;

export const NO_START: StartColumns = { startingInvocation: null, startingSince: null, startingUntil: null };

export const columnsOf = (start: Start | null): StartColumns =>
  start === null
    ? NO_START
    : { startingInvocation: start.invocationId, startingSince: start.since, startingUntil: start.until };

/** The start that the last look has found; null: none. */
export const startOf = ({
  startingInvocation,
  startingSince: since,
  startingUntil: until,
}: StartColumns): Start | null =>
  since === null || until === null ? null : { invocationId: startingInvocation ?? '', since, until };
