import type { Command } from 'commander';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import type { MaintenanceWindow } from '../src/lib/db/schema.ts';
import { listWindows } from '../src/lib/views/maintenance-read.ts';
import { parseMaintenance } from '../src/lib/fleet-admin/maintenance-request.ts';
import { describeEnd, describeWindow } from '../src/lib/views/maintenance-words.ts';
import { jsonOption, theVps, withApp, type JsonOption } from './context.ts';
import { accepted } from './options.ts';
import { print, printJson } from './output.ts';

type MaintenanceOptions = JsonOption & {
  for?: string;
  until?: string;
  untilHealthy?: true;
  weekly?: string;
  timeZone?: string;
  reason?: string;
  cancel?: string;
};

/** That of whoever types, as the machine is set. Not asked for by every `vps …`: it takes some 15 ms. */
const localZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** `wardround vps maintenance HOST on|off|list`. */
export function addMaintenanceCommand(vps: Command): void {
  vps
    .command('maintenance')
    .description('while under maintenance, a VPS is looked at, but neither restarted nor counted, and nobody is mailed')
    .argument('<host|id>', 'host, host:port, or id')
    .addArgument(
      vps.createArgument('<state>', 'begin it, end it, or show what is planned').choices(['on', 'off', 'list']),
    )
    .option('--for <length>', 'on: for so long, such as 90m, 2h or 1d (default: until "off")')
    .option(
      '--until <time>',
      "on: until then, such as 2026-12-24T03:30Z; a day is its midnight, and without a zone this machine's counts",
    )
    .option('--until-healthy', 'on: until the next healthy check')
    .option('--weekly <day and time>', 'on: each week, such as "sun 02:00", with --for')
    .option(
      '--time-zone <name>',
      "on --weekly (default: UTC) or --until (default: this machine's): such as Europe/Oslo",
    )
    .option('--reason <text>', 'on: what for')
    .option(
      '--cancel <window>',
      'off: delete this window, instead of ending what is open; of a weekly one that ends one occurrence',
    )
    .addOption(jsonOption())
    .action((wanted: string, state: 'on' | 'off' | 'list', options: MaintenanceOptions) =>
      withApp(async (app) => {
        const { cancelWindow, endMaintenance, planMaintenance } = await import('../src/lib/fleet-admin/vps-actions.ts');
        const row = theVps(app, wanted);
        const now = new Date();
        if (state === 'on') {
          const { window } = accepted(parseMaintenance(inLocalZone(options), now));
          await planMaintenance(app, LOCAL_OPERATOR, [row.id], window);
        }
        const { cancel } = options;
        const ended =
          state === 'off' &&
          (await (cancel === undefined
            ? endMaintenance(app, LOCAL_OPERATOR, [row.id], now)
            : cancelWindow(app, LOCAL_OPERATOR, row.id, cancel)));
        const windows = listWindows(app, row);
        const after = theVps(app, wanted);
        if (options.json) printJson({ ...after, windows });
        else if (ended === false) print(renderWindows(row.host, windows, now));
        else {
          print(describeEnd(after, { cancelled: cancel ?? null, ended: ended.vpsIds.length > 0 }, localZone()));
          const weekly = windows.filter(({ kind }) => kind === 'weekly');
          if (weekly.length > 0) print(renderWindows(row.host, weekly, now));
        }
      }),
    );
}

/** A weekly window is for years and for whoever reads it, but an end is what the clock here will show. */
const inLocalZone = (options: MaintenanceOptions): MaintenanceOptions =>
  options.until !== undefined && options.weekly === undefined ? { timeZone: localZone(), ...options } : options;

const renderWindows = (host: string, windows: readonly MaintenanceWindow[], now: Date): string =>
  windows.length === 0
    ? `No maintenance of ${host} is planned.`
    : windows.map((window) => `${window.id}  ${host} ${describeWindow(window, now, localZone())}`).join('\n');
