import type { MonitorState } from '../db/schema.ts';
import { shortDuration, withCommas } from '../facts/time-words.ts';

/** Something about the monitor itself that an admin has to know: what is so, and what to do. */
export type MonitorNotice = {
  readonly kind: 'problem' | 'info';
  readonly title: string;
  readonly text: string;
};

const since = (at: Date | null, now: Date): string =>
  at === null ? '' : ` for ${shortDuration(now.getTime() - at.getTime())}`;

/** The notices for a page about the fleet, the worst first. `fault`: of the last sweep; null also where a headline says it. */
export function monitorNotices(state: MonitorState, fault: string | null, now: Date): MonitorNotice[] {
  const { outageSince, outageUnreachable, outageReachableBefore } = state;
  const isOutage = outageSince !== null && state.outageAcceptedAt === null;
  const notices: MonitorNotice[] = [];
  if (isOutage)
    notices.push({
      kind: 'problem',
      title: `${withCommas(outageUnreachable)} of ${withCommas(outageReachableBefore)} VPSs became unreachable at once.`,
      text:
        `That is more likely our own network than the fleet: sweeps have said nothing about them${since(outageSince, now)}, ` +
        'no failure is counted and no customer is told. Look at the network of this machine first. ' +
        'If the fleet really is down, run “wardround outage accept”, and the next sweep counts.',
    });
  // The last sweep calls the outage a fault too.
  if (fault !== null && !isOutage)
    notices.push({
      kind: 'problem',
      title: 'Fault of the monitor:',
      text: `${fault}. Nothing of this is counted against a VPS; the next sweep tries again.`,
    });
  if (state.healing === 'paused')
    notices.push({
      kind: 'problem',
      title: `Healing pauses: ${withCommas(state.pauseStopped)} of ${withCommas(state.pauseFleet)} services stopped at once.`,
      text:
        `Nothing has been restarted${since(state.healingSince, now)}. Find out what these services share, most often a new release. ` +
        'Then switch healing on again: under Settings, or with “wardround healing on”.',
    });
  if (state.healing === 'off')
    notices.push({
      kind: 'info',
      title: 'Healing is off.',
      text:
        `An admin has switched it off${state.healingReason === null ? '' : ` (${state.healingReason})`}: nothing has been restarted${since(state.healingSince, now)}. Checks, incidents and messages go on. ` +
        'Switch it on under Settings, or with “wardround healing on”.',
    });
  if (outageSince !== null && !isOutage)
    notices.push({
      kind: 'info',
      title: 'The outage is taken for real.',
      text: 'An admin has said that the fleet is down, not our network: what sweeps see counts.',
    });
  return notices;
}
