import { styleText } from 'node:util';
import { Option, type Command } from 'commander';
import * as z from 'zod/mini';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { PREFLIGHT_STEPS, type StepOutcome } from '../src/lib/facts/preflight.ts';
import type { VpsDescription } from '../src/lib/fleet-admin/new-vps.ts';
import { loginName } from '../src/lib/parsing/login-name.ts';
import { orNull } from '../src/lib/parsing/fields.ts';
import { RECIPES, type Recipe } from '../src/lib/provisioning/rules/rights.ts';
import { readSameMachinesOf, type SameMachine } from '../src/lib/views/same-machine-read.ts';
import { sameMachineInWords } from '../src/lib/views/same-machine-words.ts';
import { FAILED } from './caller.ts';
import { jsonOption, readKeyFile, theVps, UsageError, withApp, type JsonOption } from './context.ts';
import { accepted, readOptions } from './options.ts';
import { print, printJson } from './output.ts';

type KeyOptions = { keyFile?: string; sharedKey?: true; generateKey?: true; certificate?: true };
type AddOptions = KeyOptions & {
  customer: string;
  name?: string;
  host: string;
  port: string;
  user: string;
  service?: string;
  hostKey?: string;
  labels?: string;
  note?: string;
  notReady?: true;
  json?: true;
};

/** What logs in brings SSH with it, and what only reads is not to wait for that. */
const board = () => import('../src/lib/fleet-admin/board.ts');

/** On stderr: whoever reads the JSON finds it there. */
export function warnOf(sameMachines: readonly SameMachine[]): void {
  if (sameMachines.length > 0) console.error(`warning: ${sameMachineInWords(sameMachines)}`);
}

const SIGNS = {
  passed: ['✓', 'green'],
  noted: ['●', 'yellow'],
  failed: ['✗', 'red'],
  skipped: ['–', 'gray'],
} as const satisfies Record<StepOutcome['verdict'], readonly [string, Parameters<typeof styleText>[0]]>;
const INDENT = ' '.repeat(15);

/** A line as each step ends, with what mends it below. */
export function printStep({ step, verdict, saw, why, command }: StepOutcome): void {
  const [sign, colour] = SIGNS[verdict];
  print(
    `${styleText(colour, sign, { stream: process.stdout })} ${PREFLIGHT_STEPS[step].padEnd(INDENT.length - 2)}${saw}`,
  );
  if (verdict !== 'failed' && verdict !== 'noted') return;
  if (why !== '') print(`${INDENT}${why}`);
  if (command !== null) print(`${INDENT}${command.on === 'vps' ? 'on the VPS' : 'here'}: ${command.text}`);
}

const nothing = (): void => undefined;

/** What the options say that it is logged in to with. */
async function loginBy({
  keyFile,
  sharedKey,
  generateKey,
  certificate,
}: KeyOptions): Promise<Pick<VpsDescription, 'key' | 'privateKey'>> {
  const given = [keyFile !== undefined, sharedKey, generateKey, certificate].filter(Boolean).length;
  if (given !== 1)
    throw new UsageError(
      'one of --key-file FILE, --shared-key, --generate-key and --certificate is needed, to log in with',
    );
  if (keyFile !== undefined) return { privateKey: readKeyFile(keyFile) };
  if (generateKey) return { privateKey: (await import('../src/lib/provisioning/private-key.ts')).makePrivateKey() };
  return { key: certificate ? 'certificate' : 'shared' };
}

/** `wardround vps add|try`. */
export function addBoardCommands(vps: Command): void {
  vps
    .command('add')
    .description('try a VPS step by step and, once all of it has passed, add it, and its customer if new')
    .requiredOption('--customer <email>', 'whose VPS it is')
    .option('--name <name>', "the customer's name")
    .requiredOption('--host <host>', 'IP address or host name')
    .option('--port <port>', 'SSH port', '22')
    .option('--user <login>', 'SSH login', 'root')
    .option('--key-file <file>', 'private key for that login, without passphrase; stored encrypted')
    .option('--shared-key', "the fleet's shared key (wardround ssh-key)")
    .option('--generate-key', 'make a key here, print its public half, and add the VPS as not ready')
    .option('--certificate', 'no key: by certificate (wardround ca); print how it gets there, and add it as not ready')
    .option('--service <unit>', 'systemd unit to watch (default: the setting MONITORED_SERVICE)')
    .option(
      '--host-key <key>',
      'pin this host key, "ssh-ed25519 AAAA…", or a line of known_hosts (default: the first shown)',
    )
    .option('--labels <labels>', 'to filter and group by, such as "provider=hetzner, region=fsn1, canary"')
    .option('--note <text>', 'what to remember of it')
    .option('--not-ready', 'add it also if it does not pass: listed, and not swept until "vps try" has passed')
    .addOption(jsonOption())
    .action(async ({ json, notReady, keyFile, sharedKey, generateKey, certificate, ...given }: AddOptions) => {
      const { parseVps } = await import('../src/lib/fleet-admin/new-vps.ts');
      const login = await loginBy({ keyFile, sharedKey, generateKey, certificate } as KeyOptions);
      const { vps: described } = accepted(parseVps({ ...given, ...login }));
      await withApp(async (app) => {
        const { addNotReady, boardVps, certificateLinesOf, loginLineOf, NOT_TRIED } = await board();
        if (certificate) {
          const { id } = await addNotReady(app, LOCAL_OPERATOR, described, NOT_TRIED.certificate);
          const lines = await certificateLinesOf(app, LOCAL_OPERATOR, id);
          if (json) printJson({ ...theVps(app, id), ...lines });
          else
            print(
              `Added as not ready (${id}). Run as root on the VPS what this prints: wardround ca lines ${described.host}\nThen: wardround vps try ${described.host}`,
            );
          return;
        }
        if (generateKey) {
          const { id } = await addNotReady(app, LOCAL_OPERATOR, described, NOT_TRIED.generated);
          const line = loginLineOf(app, LOCAL_OPERATOR, id);
          if (json) printJson({ ...theVps(app, id), authorizedKeys: line.line, command: line.command });
          else
            print(
              `Added as not ready (${id}). As root on the VPS:\n\n${line.command}\n\nThen: wardround vps try ${described.host}`,
            );
          return;
        }
        const watcher = { onStep: json ? nothing : printStep, notReady: notReady === true };
        const { added, passed, outcomes } = await boardVps(app, LOCAL_OPERATOR, described, watcher);
        if (added === null) {
          if (json) printJson({ added: false, preflight: outcomes });
          else print(`\nNothing was saved. Mend that and add it again, or add it with --not-ready.`);
          process.exitCode = FAILED;
          return;
        }
        const row = theVps(app, added.id);
        const sameMachines = readSameMachinesOf(app, LOCAL_OPERATOR, added.id);
        warnOf(sameMachines);
        if (json) printJson({ ...row, sameMachines, added: true, ready: passed, preflight: outcomes });
        else {
          print(
            `\nAdded ${row.host} for ${added.newCustomer ? 'the new customer' : 'the customer'} ${row.email} (${row.id}).`,
          );
          if (!passed) print(`It is not ready. Mend that, then: wardround vps try ${row.host}`);
        }
      }, 'begin');
    });

  vps
    .command('try')
    .description('try it step by step, as when it was added; one that was not ready and passes is watched from then on')
    .argument('<host|id>', 'host, host:port, or id')
    .addOption(jsonOption())
    .action((wanted: string, { json }: JsonOption) =>
      withApp(async (app) => {
        const before = theVps(app, wanted);
        const { tryVps } = await board();
        const { passed, outcomes } = await tryVps(app, LOCAL_OPERATOR, before.id, {
          onStep: json ? nothing : printStep,
        });
        const row = theVps(app, before.id);
        if (json) printJson({ ...row, passed, preflight: outcomes });
        else if (passed && row.active && !before.active) print(`\n${row.host} is ready, and watched from now on.`);
        if (!passed) process.exitCode = FAILED;
      }),
    );

  vps
    .command('recipe')
    .description('print a script for the VPS that gives a login the rights that are needed there, and no others')
    .argument('<host|id>', 'host, host:port, or id')
    .addOption(
      new Option('--recipe <recipe>', "bus: over systemd's own bus (polkit 0.106 or newer); sudo: anywhere")
        .choices(RECIPES)
        .default('bus'),
    )
    .option('--login <login>', 'the login that gets them (default: the one it has now; ward in place of root)')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nAs root on the VPS: sh FILE, and sh FILE undo takes it back. Straight away:\n  wardround vps recipe HOST | ssh root@HOST sh',
    )
    .action((wanted: string, { recipe, login, json }: JsonOption & { recipe: Recipe; login?: string }) => {
      const given = readOptions(z.object({ login: orNull(loginName) }), { login }).login;
      return withApp(async (app) => {
        const row = theVps(app, wanted);
        const made = (await board()).recipeOf(app, LOCAL_OPERATOR, row.id, { recipe, login: given ?? undefined });
        if (json) printJson({ id: row.id, host: row.host, recipe, ...made });
        else process.stdout.write(made.script);
        if (made.login !== row.user)
          console.error(
            `When it has been run there: wardround vps edit ${row.host} --user ${made.login}; wardround vps try ${row.host}`,
          );
      });
    });
}
