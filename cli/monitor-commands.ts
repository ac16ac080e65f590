import { withCommas } from '../src/lib/facts/time-words.ts';
import type { Command } from 'commander';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { acceptOutage, readMonitorState, setHealing } from '../src/lib/monitoring/monitor-state.ts';
import { FailedError, jsonOption, withApp, type JsonOption } from './context.ts';
import { print, printJson } from './output.ts';
import { warnIfStale } from './watch.ts';

const HEALING_WORDS = {
  on: 'Healing is on: stopped services are restarted.',
  off: 'Healing is off: checks go on, nothing is restarted until "wardround healing on".',
  paused: 'Healing pauses: too much stopped at once. Find out why, then "wardround healing on".',
};

/** `wardround healing …`: what holds for the whole fleet. */
export function fillHealing(healing: Command): void {
  healing
    .addArgument(
      healing.createArgument('<state>', 'turn them on or off, or show how it is').choices(['on', 'off', 'status']),
    )
    .addOption(jsonOption())
    .action((state: 'on' | 'off' | 'status', { json }: JsonOption) =>
      withApp(async (app) => {
        warnIfStale(app, new Date());
        const now = state === 'status' ? readMonitorState(app.db) : await setHealing(app.db, LOCAL_OPERATOR, state);
        if (json) printJson(now);
        else print(HEALING_WORDS[now.healing]);
      }),
    );
}

/** `wardround outage …`. */
export function fillOutage(outage: Command): void {
  outage
    .addArgument(
      outage
        .createArgument('<action>', 'accept: it is the fleet, not us, so the next sweep counts')
        .choices(['accept', 'status']),
    )
    .addOption(jsonOption())
    .action((action: 'accept' | 'status', { json }: JsonOption) =>
      withApp(async (app) => {
        if (action === 'accept' && !(await acceptOutage(app.db, LOCAL_OPERATOR)))
          throw new FailedError('there is no outage of the monitor; nothing was changed');
        warnIfStale(app, new Date());
        const { outageSince, outageUnreachable, outageReachableBefore, outageAcceptedAt } = readMonitorState(app.db);
        if (json) printJson({ outageSince, outageUnreachable, outageReachableBefore, outageAcceptedAt });
        else if (outageSince === null) print('No outage: sweeps count.');
        else
          print(
            `Since ${outageSince.toISOString()} sweeps are inconclusive: ${withCommas(outageUnreachable)} of ${withCommas(outageReachableBefore)} VPSs became unreachable at once.` +
              (outageAcceptedAt === null
                ? ' If it is the fleet and not our network: wardround outage accept'
                : ' Accepted: the next sweep counts.'),
          );
      }),
    );
}
