import { styleText } from 'node:util';
import type { Command } from 'commander';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { PREFLIGHT_STEPS, type StepOutcome } from '../src/lib/facts/preflight.ts';
import { readSameMachinesOf, type SameMachine } from '../src/lib/views/same-machine-read.ts';
import { sameMachineInWords } from '../src/lib/views/same-machine-words.ts';
import { FAILED } from './caller.ts';
import { jsonOption, readKeyFile, theVps, UsageError, withApp, type JsonOption } from './context.ts';
import { accepted } from './options.ts';
import { print, printJson } from './output.ts';

type KeyOptions = { keyFile?: string; sharedKey?: true; generateKey?: true };
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

/** The private key that the options stand for; null for the shared one. */
async function keyOf({ keyFile, sharedKey, generateKey }: KeyOptions): Promise<string | null> {
  const given = [keyFile !== undefined, sharedKey, generateKey].filter(Boolean).length;
  if (given !== 1)
    throw new UsageError('one of --key-file FILE, --shared-key and --generate-key is needed, to log in with');
  if (keyFile !== undefined) return readKeyFile(keyFile);
  return generateKey ? (await import('../src/lib/provisioning/private-key.ts')).makePrivateKey() : null;
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
    .option('--service <unit>', 'systemd unit to watch (default: the setting MONITORED_SERVICE)')
    .option(
      '--host-key <key>',
      'pin this host key, "ssh-ed25519 AAAA…", or a line of known_hosts (default: the first shown)',
    )
    .option('--labels <labels>', 'to filter and group by, such as "provider=hetzner, region=fsn1, canary"')
    .option('--note <text>', 'what to remember of it')
    .option('--not-ready', 'add it also if it does not pass: listed, and not swept until "vps try" has passed')
    .addOption(jsonOption())
    .action(async ({ json, notReady, keyFile, sharedKey, generateKey, ...given }: AddOptions) => {
      const { parseVps } = await import('../src/lib/fleet-admin/new-vps.ts');
      const privateKey = await keyOf({ keyFile, sharedKey, generateKey } as KeyOptions);
      const login = privateKey === null ? ({ key: 'shared' } as const) : { privateKey };
      const { vps: described } = accepted(parseVps({ ...given, ...login }));
      await withApp(async (app) => {
        const { addNotReady, boardVps, loginLineOf } = await board();
        if (generateKey) {
          const { id } = await addNotReady(
            app,
            LOCAL_OPERATOR,
            described,
            'Its key has just been made: nothing was tried yet.',
          );
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
}
