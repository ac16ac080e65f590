import { withCommas, count } from '../src/lib/facts/time-words.ts';
import type { Command } from 'commander';
import * as z from 'zod/mini';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import type { NewPin } from '../src/lib/fleet-admin/fleet-admin.ts';
import { changedKeysInWords, WHAT_TO_DO_ABOUT_KEYS } from '../src/lib/views/host-key-words.ts';
import { listVps } from '../src/lib/views/fleet-read.ts';
import { readSameMachines } from '../src/lib/views/same-machine-read.ts';
import { orNull } from '../src/lib/parsing/fields.ts';
import { fingerprint, hostKeyLine } from '../src/lib/provisioning/host-key.ts';
import { FAILED } from './caller.ts';
import { addActionCommands } from './action-commands.ts';
import { addBoardCommands, warnOf } from './board-commands.ts';
import {
  confirmUnless,
  jsonOption,
  labelOption,
  theVps,
  withApp,
  type JsonOption,
  type LabelOption,
} from './context.ts';
import { addImportCommand } from './import-command.ts';
import { addMaintenanceCommand } from './maintenance-command.ts';
import { readOptions } from './options.ts';
import { print, printJson, renderTable, renderVps } from './output.ts';
import { forJson, warnIfStale } from './watch.ts';

/** What changes the fleet or logs in brings SSH with it, and what only reads is not to wait for that. */
const fleetAdmin = () => import('../src/lib/fleet-admin/fleet-admin.ts');

/** `wardround vps …`. */
export function fillVps(vps: Command): void {
  addBoardCommands(vps);

  vps
    .command('list')
    .description('every VPS and its state')
    .addOption(labelOption('only those with this label, such as region=fsn1; several: all of them'))
    .addOption(jsonOption())
    .action(({ label, json }: JsonOption & LabelOption) =>
      withApp((app) => {
        const now = new Date();
        const rows = listVps(app, LOCAL_OPERATOR, now, label);
        warnIfStale(app, now);
        if (json) printJson(rows.map((row) => forJson(row, now)));
        else if (rows.length === 0 && label.length > 0) print('No VPS of the fleet has that label.');
        else if (rows.length === 0)
          print(
            'The fleet is empty. Add the first VPS: wardround vps add --customer EMAIL --host HOST --key-file FILE',
          );
        else print(renderTable(rows, now, app.settings.breaker));
      }),
    );

  vps
    .command('show')
    .description('one VPS in full')
    .argument('<host|id>', 'host, host:port, or id')
    .addOption(jsonOption())
    .action((wanted: string, { json }: JsonOption) =>
      withApp((app) => {
        const now = new Date();
        const row = theVps(app, wanted);
        warnIfStale(app, now);
        if (json) printJson(forJson(row, now));
        else print(renderVps(row, now, app.settings.breaker));
      }),
    );

  vps
    .command('test')
    .description('log in now and look at the service; changes nothing')
    .argument('<host|id>', 'host, host:port, or id')
    .addOption(jsonOption())
    .action((wanted: string, { json }: JsonOption) =>
      withApp(async (app) => {
        const row = theVps(app, wanted);
        const { verdict, durationMs, hostKey } = await (await fleetAdmin()).testVps(app, row.id);
        const healthy = verdict.kind === 'healthy';
        const shown = hostKey === null ? null : fingerprint(hostKey);
        const sameMachines = readSameMachines(app, LOCAL_OPERATOR, { id: row.id, hostKey });
        warnOf(sameMachines);
        if (json)
          printJson({
            ...row,
            healthy,
            verdict: verdict.kind,
            cause: healthy ? null : verdict.cause,
            message: healthy ? null : verdict.message,
            durationMs,
            hostKeyFingerprint: shown,
            sameMachines,
          });
        else {
          print(
            `${row.host}: ${healthy ? `${row.service} is active` : verdict.message}${durationMs === null ? '' : ` (${withCommas(durationMs)} ms)`}`,
          );
          if (shown !== null)
            print(
              `Host key ${shown}${row.hostKeyFingerprint === null ? ', to be pinned at the next sweep' : ', as pinned'}.`,
            );
        }
        if (!healthy) process.exitCode = FAILED;
      }),
    );

  vps
    .command('remove')
    .description('take a VPS out of the fleet and forget its state; the customer and the machine itself stay')
    .argument('<host|id>', 'host, host:port, or id')
    .option('--yes', 'do not ask')
    .addOption(jsonOption())
    .action((wanted: string, { yes, json }: JsonOption & { yes?: true }) =>
      withApp(async (app) => {
        const row = theVps(app, wanted);
        await confirmUnless(
          yes === true || json === true,
          `Remove ${row.host} of ${row.email}, with its ${count(row.totalChecks, 'check')}?`,
        );
        await (await fleetAdmin()).removeVps(app, LOCAL_OPERATOR, row.id);
        if (json) printJson({ ...row, removed: row.id });
        else print(`Removed ${row.host} (${row.id}).`);
      }),
    );

  vps
    .command('repin')
    .description('trust another host key from now on, after a machine was reinstalled')
    .argument('<host|id>', 'host, host:port, or id')
    .option(
      '--host-key <key>',
      'the new key, "ssh-ed25519 AAAA…" (default: the one shown last, or at the next connection)',
    )
    .option('--yes', 'do not ask')
    .addOption(jsonOption())
    .action((wanted: string, { hostKey, yes, json }: JsonOption & { hostKey?: string; yes?: true }) => {
      const given = readOptions(z.object({ hostKey: orNull(hostKeyLine) }), { hostKey }).hostKey;
      return withApp(async (app) => {
        const row = theVps(app, wanted);
        const offered = row.offeredHostKeyFingerprint;
        const vouched = offered === null ? '' : await (await fleetAdmin()).vouchedInWords(app, LOCAL_OPERATOR, row.id);
        const pin: NewPin =
          given !== null
            ? { kind: 'given', hostKey: given }
            : offered !== null
              ? { kind: 'offered', fingerprint: offered }
              : { kind: 'next' };
        const question =
          offered === null
            ? `Forget the host key ${row.hostKeyFingerprint} of ${row.host}? Whoever answers there next is trusted.`
            : `${[...changedKeysInWords(row), vouched, ...WHAT_TO_DO_ABOUT_KEYS].filter(Boolean).join('\n')}\nTrust the key that ${row.host} shows now?`;
        await confirmUnless(
          yes === true || json === true || row.hostKeyFingerprint === null || given !== null,
          question,
        );
        await (await fleetAdmin()).repinHostKey(app, LOCAL_OPERATOR, row.id, pin);
        const now = theVps(app, row.id);
        if (json) printJson(now);
        else {
          print(`${now.host}: host key ${now.hostKeyFingerprint ?? 'to be pinned at the next connection'}.`);
          if (given !== null && offered !== null)
            print(
              offered === now.hostKeyFingerprint
                ? 'It is the key that the machine has shown last.'
                : `The machine has shown another one last, ${offered}: nothing is sent there until it shows this one.`,
            );
        }
      });
    });

  addActionCommands(vps);
  addMaintenanceCommand(vps);
  addImportCommand(vps);
}
