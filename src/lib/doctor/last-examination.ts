import { partOf, type App } from '../app.ts';
import { readEnvironment } from '../environment.ts';
import { examine, type Examined } from './examine.ts';

/** An examination in this process. `checks` null: the first one is under way. */
export type Examination = {
  readonly at: Date | null;
  readonly checks: readonly Examined[] | null;
  readonly isUnderWay: boolean;
};

/** Whoever comes after that gets a new one. */
const KEEP_MS = 60_000;

const slotOf = (app: App) =>
  partOf(app, 'examination', (): { last: Examination } => ({ last: { at: null, checks: null, isUnderWay: false } }));

/**
 * What the last examination has found; where that is older than a minute, another one begins in the background, for which
 * no page waits.
 */
export function lastExamination(app: App, now: Date): Examination {
  const slot = slotOf(app);
  const { at, isUnderWay } = slot.last;
  const isOld = at === null || Math.abs(now.getTime() - at.getTime()) > KEEP_MS;
  if (isOld && !isUnderWay) {
    slot.last = { ...slot.last, isUnderWay: true };
    void examine(readEnvironment()).then((checks) => {
      slot.last = { at: new Date(), checks, isUnderWay: false };
    });
  }
  return slot.last;
}
