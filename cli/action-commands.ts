import type { Command } from 'commander';
import type { App } from '../src/lib/app.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { readEditable } from '../src/lib/views/vps-form-read.ts';
import { listRestartLedger, readVpsByIds, type FleetRow } from '../src/lib/views/fleet-read.ts';
import type { Begun } from '../src/lib/fleet-admin/vps-actions.ts';
import { createLog, type Log } from '../src/lib/log.ts';
import { FAILED } from './caller.ts';
import {
  ALL_LABELLED,
  confirmUnless,
  FailedError,
  jsonOption,
  labelOption,
  meantVps,
  readKeyFile,
  theVps,
  withApp,
  UsageError,
  type JsonOption,
  type LabelOption,
} from './context.ts';
import { accepted } from './options.ts';
import { print, printJson, renderTable, renderVps } from './output.ts';

type EditOptions = JsonOption & {
  name?: string;
  host?: string;
  port?: string;
  user?: string;
  service?: string;
  labels?: string;
  keyFile?: string;
  sharedKey?: true;
  certificate?: true;
  note?: string;
};

/** Brings SSH and the monitor with it: nothing for a command that only reads. */
const vpsActions = () => import('../src/lib/fleet-admin/vps-actions.ts');

/** What is done is shown afterwards; what goes wrong on our side is told. */
const quiet: Log = { info: () => undefined, error: createLog('health-checker').error };

/** Waits for what was begun; Ctrl-C gives up a look at once, and lets a restart under way end. */
async function finish(app: App, { done }: Begun): Promise<void> {
  const { onDemandOf } = await import('../src/lib/monitoring/on-demand.ts');
  const stop = (): void => void onDemandOf(app).stop(new AbortController().signal);
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const end = await done;
  process.off('SIGINT', stop).off('SIGTERM', stop);
  if (end === 'busy') throw new FailedError('another process was sweeping all the while; nothing was done, try again');
  if (end === 'stopped') throw new FailedError('stopped before it was done');
}

/** These VPSs as they are now; what has left the fleet meanwhile is left out. */
export const readNow = (app: App, rows: readonly FleetRow[]): FleetRow[] =>
  readVpsByIds(
    app,
    LOCAL_OPERATOR,
    rows.map(({ id }) => id),
    new Date(),
  );

/** What is true of these VPSs now: of the one that was named, or as a list of those that have a label. */
function show(app: App, { rows, isList, json }: Shown, say: (row: FleetRow) => string): FleetRow[] {
  const now = readNow(app, rows);
  const [only] = now;
  if (json) printJson(isList ? now : only);
  else if (isList) print(renderTable(now, new Date(), app.settings.breaker));
  else if (only) print(say(only));
  return now;
}
type Shown = { readonly rows: readonly FleetRow[]; readonly isList: boolean; readonly json: boolean };

/**
 * The two words of a command that is for one VPS or for those with a label: where a label is given there is no host, and
 * the first word is the state. Throws `UsageError` for anything else.
 */
export function hostAndState<State extends string>(
  first: string | undefined,
  second: string | undefined,
  isByLabel: boolean,
  states: readonly State[],
): { readonly wanted: string | undefined; readonly state: State } {
  const word = isByLabel ? first : second;
  const state = states.find((one) => one === word);
  if (state === undefined || (isByLabel && second !== undefined))
    throw new UsageError(
      isByLabel
        ? `with --label no host is named, and one word is left: ${states.join(', ')}`
        : `missing required argument 'state'; allowed: ${states.join(', ')}`,
    );
  return { wanted: isByLabel ? undefined : first, state };
}

/** `wardround vps check|restart|reset|edit|healing`. */
export function addActionCommands(vps: Command): void {
  const about = (name: string, description: string): Command =>
    vps.command(name).description(description).argument('<host|id>', 'host, host:port, or id').addOption(jsonOption());

  const aboutMany = (name: string, description: string): Command =>
    vps
      .command(name)
      .description(description)
      .argument('[host|id]', 'host, host:port, or id')
      .addOption(labelOption(ALL_LABELLED))
      .addOption(jsonOption());

  /** Has `work` done to the VPSs that are meant, and says of each how it is then. */
  const withMeant = (
    wanted: string | undefined,
    { label, json }: JsonOption & LabelOption,
    work: (app: App, vpsIds: readonly string[]) => Promise<(row: FleetRow) => string>,
  ): Promise<FleetRow[]> =>
    withApp(async (app) => {
      const rows = meantVps(app, { wanted, labels: label });
      const say = await work(
        app,
        rows.map(({ id }) => id),
      );
      return show(app, { rows, isList: wanted === undefined, json: json === true }, say);
    });

  aboutMany('check', 'check it now, as a sweep does: recorded, and healed where that is called for').action(
    async (wanted: string | undefined, options: JsonOption & LabelOption) => {
      const rows = await withMeant(wanted, options, async (app, vpsIds) => {
        const { checkNow } = await vpsActions();
        await finish(app, await checkNow(app, LOCAL_OPERATOR, vpsIds, quiet));
        return (row) => renderVps(row, new Date(), app.settings.breaker);
      });
      if (rows.some(({ status }) => status !== 'healthy')) process.exitCode = FAILED;
    },
  );

  about('restart', 'restart its service now, whatever circuit and maintenance say')
    .option('--yes', 'do not ask')
    .action((wanted: string, { yes, json }: JsonOption & { yes?: true }) =>
      withApp(async (app) => {
        const { id, host, service } = theVps(app, wanted);
        await confirmUnless(yes === true || json === true, `Restart ${service} on ${host}?`);
        const { restartNow } = await vpsActions();
        await finish(app, await restartNow(app, LOCAL_OPERATOR, id, { now: new Date(), log: quiet }));
        const [restart] = listRestartLedger(app, LOCAL_OPERATOR, id, 1);
        if (json) printJson({ ...theVps(app, id), restart });
        else print(`${host}: ${restart?.detail ?? `${service} was restarted and is active`}`);
        if (restart?.outcome !== 'succeeded') process.exitCode = FAILED;
      }),
    );

  aboutMany('reset', 'close its circuit and forget its failures, restarts of late and refused logins').action(
    async (wanted: string | undefined, options: JsonOption & LabelOption) => {
      await withMeant(wanted, options, async (app, vpsIds) => {
        const { resetCircuit } = await vpsActions();
        await resetCircuit(app, LOCAL_OPERATOR, vpsIds, new Date());
        return ({ host }) => `${host}: the circuit is closed; the next sweep may restart the service again.`;
      });
    },
  );

  const HEALING = ['on', 'off', 'status'] as const;
  aboutMany('healing', 'automatic restarts of this VPS; checks go on either way')
    .addArgument(vps.createArgument('[state]', 'turn them on or off, or show how it is').choices([...HEALING]))
    .action(async (first: string | undefined, second: string | undefined, options: JsonOption & LabelOption) => {
      const { wanted, state } = hostAndState(first, second, options.label.length > 0, HEALING);
      await withMeant(wanted, options, async (app, vpsIds) => {
        const { setVpsHealing } = await vpsActions();
        if (state !== 'status') await setVpsHealing(app, LOCAL_OPERATOR, vpsIds, state === 'on', new Date());
        return ({ host, healingPausedSince }) =>
          healingPausedSince === null
            ? `${host}: healing is on.`
            : `${host}: healing is off since ${healingPausedSince.toISOString()}; checks go on.`;
      });
    });

  about('edit', 'change where and how it is reached; what is not given stays')
    .option('--name <name>', "the customer's name")
    .option('--host <host>', 'IP address or host name; another machine, whose key is pinned anew')
    .option('--port <port>', 'SSH port; likewise')
    .option('--user <login>', 'SSH login')
    .option('--service <unit>', 'systemd unit to watch; "" for the setting MONITORED_SERVICE')
    .option('--labels <labels>', 'all its labels, such as "provider=hetzner, canary"; "" for none')
    .option('--key-file <file>', 'private key for the login, without passphrase; stored encrypted')
    .option('--shared-key', "the fleet's shared key from now on")
    .option('--certificate', 'by certificate from now on (wardround ca): its login key is forgotten')
    .option('--note <text>', 'what to remember of it')
    .action((wanted: string, { json, keyFile, sharedKey, certificate, ...given }: EditOptions) =>
      withApp(async (app) => {
        const { parseVpsEdit } = await import('../src/lib/fleet-admin/new-vps.ts');
        const { editVps } = await import('../src/lib/fleet-admin/edit-vps.ts');
        const { id } = theVps(app, wanted);
        const now = readEditable(app, LOCAL_OPERATOR, id);
        if (!now) throw new FailedError(`no VPS ${JSON.stringify(wanted)} in the fleet`);
        const { email, name, host, port, user, service, labels, note } = now;
        const stored = {
          name: name ?? '',
          host,
          port: String(port),
          user,
          service: service ?? '',
          labels,
          note: note ?? '',
        };
        const merged = { ...stored, ...given };
        const { edit } = accepted(
          parseVpsEdit({
            ...merged,
            service: merged.service || undefined,
            note: merged.note || undefined,
            ...(sharedKey && { key: 'shared' as const }),
            ...(certificate && { key: 'certificate' as const }),
            customer: email,
            privateKey: keyFile === undefined ? '' : readKeyFile(keyFile),
          }),
        );
        const changed = await editVps(app, LOCAL_OPERATOR, id, edit);
        if (json) printJson(theVps(app, id));
        else
          print(
            changed.length === 0
              ? 'Nothing was changed.'
              : `Changed: ${changed.join(', ')}. Try it now: wardround vps try ${id}`,
          );
      }),
    );
}
