import type { Command } from 'commander';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import type { MaintenanceWindow } from '../src/lib/db/schema.ts';
import type { FleetRow } from '../src/lib/views/fleet-read.ts';
import { listWindows } from '../src/lib/views/maintenance-read.ts';
import { parseMaintenance, type MaintenanceRequest } from '../src/lib/fleet-admin/maintenance-request.ts';
import { describeEnd, describeWindow } from '../src/lib/views/maintenance-words.ts';
import { hostAndState, readNow } from './action-commands.ts';
import {
  ALL_LABELLED,
  jsonOption,
  labelOption,
  meantVps,
  UsageError,
  withApp,
  type JsonOption,
  type LabelOption,
} from './context.ts';
import { accepted } from './options.ts';
import { print, printJson } from './output.ts';

type MaintenanceOptions = JsonOption &
  LabelOption & {
    for?: string;
    until?: string;
    untilHealthy?: true;
    weekly?: string;
    timeZone?: string;
    reason?: string;
    cancel?: string;
  };

const STATES = ['on', 'off', 'list'] as const;

/** That of whoever types, as the machine is set. Not asked for by every `vps …`: it takes some 15 ms. */
const localZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** `wardround vps maintenance HOST on|off|list`. */
export function addMaintenanceCommand(vps: Command): void {
  vps
    .command('maintenance')
    .description('while under maintenance, a VPS is looked at, but neither restarted nor counted, and nobody is mailed')
    .argument('[host|id]', 'host, host:port, or id')
    .addArgument(vps.createArgument('[state]', 'begin it, end it, or show what is planned').choices([...STATES]))
    .addOption(labelOption(ALL_LABELLED))
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
    .action((first: string | undefined, second: string | undefined, options: MaintenanceOptions) => {
      const { label, cancel, json, ...request } = options;
      const { wanted, state } = hostAndState(first, second, label.length > 0, STATES);
      if (cancel !== undefined && wanted === undefined)
        throw new UsageError('--cancel is for the window of one VPS: name that VPS');
      return withApp(async (app) => {
        const { cancelWindow, endMaintenance, planMaintenance } = await import('../src/lib/fleet-admin/vps-actions.ts');
        const rows = meantVps(app, { wanted, labels: label });
        const ids = rows.map(({ id }) => id);
        const now = new Date();
        if (state === 'on') {
          const { window } = accepted(parseMaintenance(inLocalZone(request), now));
          await planMaintenance(app, LOCAL_OPERATOR, ids, window);
        }
        const ended =
          state === 'off' &&
          (await (cancel === undefined
            ? endMaintenance(app, LOCAL_OPERATOR, ids, now)
            : cancelWindow(app, LOCAL_OPERATOR, ids[0] ?? '', cancel)));
        const after = readNow(app, rows).map((row) => ({ ...row, windows: listWindows(app, row) }));
        if (json) printJson(wanted === undefined ? after : after[0]);
        else for (const vps of after) print(inWords(vps, ended && { cancelled: cancel, vpsIds: ended.vpsIds }, now));
      });
    });
}

type Planned = FleetRow & { readonly windows: readonly MaintenanceWindow[] };
type Ended = { readonly cancelled: string | undefined; readonly vpsIds: readonly string[] };

function inWords({ windows, ...vps }: Planned, ended: Ended | false, now: Date): string {
  if (ended === false) return renderWindows(vps.host, windows, now);
  const end = { cancelled: ended.cancelled ?? null, ended: ended.vpsIds.includes(vps.id) };
  const weekly = windows.filter(({ kind }) => kind === 'weekly');
  return [
    describeEnd(vps, end, localZone()),
    ...(weekly.length > 0 ? [renderWindows(vps.host, weekly, now)] : []),
  ].join('\n');
}

/** A weekly window is for years and for whoever reads it, but an end is what the clock here will show. */
const inLocalZone = (options: MaintenanceRequest): MaintenanceRequest =>
  options.until !== undefined && options.weekly === undefined ? { timeZone: localZone(), ...options } : options;

const renderWindows = (host: string, windows: readonly MaintenanceWindow[], now: Date): string =>
  windows.length === 0
    ? `No maintenance of ${host} is planned.`
    : windows.map((window) => `${window.id}  ${host} ${describeWindow(window, now, localZone())}`).join('\n');
