import type { Command } from 'commander';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import type { FleetPlan } from '../src/lib/facts/fleet-change.ts';
import { changeInWords, keptInWords, planInWords } from '../src/lib/views/fleet-change-words.ts';
import { confirmUnless, jsonOption, UsageError, withApp, type JsonOption } from './context.ts';
import { fleetFolder, keysFrom, readTextFile, refuseFile } from './fleet-source.ts';
import { print, printJson } from './output.ts';

type ApplyOptions = JsonOption & { plan?: true; prune?: true; yes?: true };

/** `wardround apply FILE`. */
export function fillApply(apply: Command): void {
  apply
    .argument('<file>', 'a fleet file, YAML or JSON, as "wardround export" writes it; - for standard input')
    .option('--plan', 'show what is different, and change nothing')
    .option('--prune', 'also remove what the file does not name: VPSs, labels, planned maintenance, routes')
    .option('--yes', 'do not ask')
    .addOption(jsonOption())
    .action(async (file: string, options: ApplyOptions) => {
      if (options.plan && options.yes)
        throw new UsageError('--plan changes nothing, so there is nothing to say --yes to');
      const text = readTextFile(file);
      const { readFleetDocument } = await import('../src/lib/fleet-admin/read-document.ts');
      const read = readFleetDocument(text, new Date());
      if ('problems' in read) return refuseFile(read.problems, options.json === true);
      const { applyFleet, planFleet, readKeys } = await import('../src/lib/fleet-admin/apply-fleet.ts');
      const keys = readKeys(read.fleet, keysFrom(fleetFolder(file), null));
      if ('problems' in keys) return refuseFile(keys.problems, options.json === true);
      await withApp(
        async (app) => {
          const wanted = { fleet: read.fleet, keys: keys.keys, prune: options.prune === true };
          const plan = planFleet(app, wanted, new Date());
          const isPlan = options.plan === true;
          if (options.json !== true) print(renderPlan(plan));
          if (!isPlan && plan.changes.length > 0) {
            await confirmUnless(options.yes === true || options.json === true, 'Change the fleet like this?');
            await applyFleet(app, LOCAL_OPERATOR, wanted, plan);
            if (options.json !== true) print('Done. The next sweep looks at what is new.');
          }
          if (options.json) printJson({ applied: !isPlan, ...plan });
        },
        options.plan ? 'existing' : 'begin',
      );
    });
}

/** `wardround export`. */
export function fillExport(command: Command): void {
  command.addOption(jsonOption()).action(({ json }: JsonOption) =>
    withApp(async (app) => {
      const { exportFleet, fleetYaml } = await import('../src/lib/fleet-admin/export-fleet.ts');
      const document = exportFleet(app, LOCAL_OPERATOR, new Date());
      if (json) printJson(document);
      else process.stdout.write(fleetYaml(document, app.settings.origin));
    }),
  );
}

function renderPlan(plan: FleetPlan): string {
  const kept = keptInWords(plan);
  return [
    ...plan.changes.map(changeInWords),
    planInWords(plan),
    ...(kept === '' ? [] : [kept, ...plan.kept.map((change) => `  ${changeInWords(change).slice(2)}`)]),
  ].join('\n');
}
