import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { ConfigurationError } from '../src/lib/environment.ts';
import { generateKey } from '../src/lib/crypto/encryption-key.ts';
import { DatabaseError } from '../src/lib/db/client.ts';
import { RefusedError } from '../src/lib/fleet-admin/fleet-admin.ts';
import { addAccountCommands } from './account-commands.ts';
import { FAILED, jsonOption, UsageError, withApp, WRONG_USAGE, type JsonOption } from './context.ts';
import { addNotifyCommands } from './notify-commands.ts';
import { print, printJson } from './output.ts';
import { sweepOnce } from './sweep.ts';
import { addIncidentCommands } from './incident-commands.ts';
import { addMonitorCommands } from './monitor-commands.ts';
import { addVpsCommands } from './vps-commands.ts';

const program = new Command('wardround')
  .description('Watches a fleet of VPSs over SSH and restarts the service that has stopped.')
  .version((JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version)
  .configureHelp({ showGlobalOptions: true })
  .showHelpAfterError('(--help shows what there is)')
  .addHelpText(
    'after',
    '\nReads the same environment and .env as the server, and works while it runs.\nExit codes: 0 done, 1 the operation failed, 2 wrong usage.',
  );
const groups = [
  addVpsCommands(program),
  addIncidentCommands(program),
  addNotifyCommands(program),
  ...addAccountCommands(program),
];
addMonitorCommands(program);

program
  .command('sweep')
  .description('check every active VPS once, now, as the server does; exit code 1 unless all are healthy')
  .addOption(jsonOption())
  .action(({ json }: JsonOption) =>
    withApp(async (app) => {
      if (!(await sweepOnce(app, json === true))) process.exitCode = FAILED;
    }),
  );

program
  .command('keygen')
  .description('print a fresh ENCRYPTION_KEY')
  .addOption(jsonOption())
  .action(({ json }: JsonOption) => {
    if (json) printJson({ encryptionKey: generateKey() });
    else print(generateKey());
  });

function exitCodeOf(error: unknown): number {
  // Commander has already said what is wrong; help and version are no errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USAGE;
  if (error instanceof UsageError) {
    console.error(error.message.replaceAll(/^/gm, 'error: '));
    return WRONG_USAGE;
  }
  const expected =
    error instanceof RefusedError || error instanceof ConfigurationError || error instanceof DatabaseError;
  console.error(expected ? `error: ${error.message}` : error);
  return FAILED;
}

// `wardround vps list | head -1`: whoever reads has seen enough, which is no error, and the work goes on to its end.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
for (const command of [program, ...program.commands, ...groups.flatMap((group) => group.commands)])
  command.exitOverride();
try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
