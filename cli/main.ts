import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { WRONG_USAGE } from './caller.ts';

type Group = { readonly about: string; readonly load: () => Promise<(command: Command) => void> };

/**
 * What stands in the help, and the file that the rest of it is in: one is loaded at a time, so that no command waits for
 * what another one needs.
 */
const GROUPS: Readonly<Record<string, Group>> = {
  status: {
    about: 'how the fleet is, and how old what is known of it is',
    load: async () => (await import('./watch.ts')).fillStatus,
  },
  vps: {
    about: 'the VPSs of the fleet',
    load: async () => (await import('./vps-commands.ts')).fillVps,
  },
  incidents: {
    about: 'what went wrong, from the first failed check to recovery',
    load: async () => (await import('./incident-commands.ts')).fillIncidents,
  },
  events: {
    about: 'the journal: what happened, in order',
    load: async () => (await import('./incident-commands.ts')).fillEvents,
  },
  notify: {
    about: 'who is told what, and what waits to be sent',
    load: async () => (await import('./notify-commands.ts')).fillNotify,
  },
  admin: {
    about: 'who may see and do everything',
    load: async () => (await import('./account-commands.ts')).fillAdmin,
  },
  user: {
    about: 'accounts of customers and admins',
    load: async () => (await import('./account-commands.ts')).fillUser,
  },
  healing: {
    about: 'automatic restarts of the whole fleet; checks go on either way',
    load: async () => (await import('./monitor-commands.ts')).fillHealing,
  },
  outage: {
    about: 'sweeps that count for nothing, as much of the fleet became unreachable at once',
    load: async () => (await import('./monitor-commands.ts')).fillOutage,
  },
  apply: {
    about: 'make the fleet what a file says it is; shows the difference first',
    load: async () => (await import('./apply-command.ts')).fillApply,
  },
  export: {
    about: 'the whole fleet as such a file, without secrets',
    load: async () => (await import('./apply-command.ts')).fillExport,
  },
  sweep: {
    about: 'check every active VPS once, now, as the server does; exit code 1 unless all are healthy',
    load: async () => (await import('./sweep.ts')).fillSweep,
  },
  backup: {
    about: 'copy the database to one file, while the server runs, and make sure that the copy is whole',
    load: async () => (await import('./backup-commands.ts')).fillBackup,
  },
  restore: {
    about: 'put a backup in the place of the database, with the server stopped; old files are moved aside',
    load: async () => (await import('./backup-commands.ts')).fillRestore,
  },
  doctor: {
    about: 'look at all that Wardround needs, and say what to do where it is not well; exit code 1 at a failure',
    load: async () => (await import('./doctor.ts')).fillDoctor,
  },
  'ssh-key': {
    about: 'the login key that VPSs of the fleet may share',
    load: async () => (await import('./ssh-key-commands.ts')).fillSshKey,
  },
  ca: {
    about: 'the fleet’s own SSH authority, for VPSs that are logged in to by certificate',
    load: async () => (await import('./ca-commands.ts')).fillCa,
  },
  keygen: {
    about: 'print a fresh ENCRYPTION_KEY',
    load: async () => (await import('./keygen.ts')).fillKeygen,
  },
};

/** Runs what the command line says, and sets the exit code. Everything but what it is given lies in `projectDir`. */
export async function main(projectDir: string): Promise<void> {
  process.chdir(projectDir);
  // `wardround vps list | head -1`: whoever reads has seen enough, which is no error, and the work goes on to its end.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  const program = new Command('wardround')
    .description('Watches a fleet of VPSs over SSH and restarts the service that has stopped.')
    .version((JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version)
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(--help shows what there is)')
    .addHelpText(
      'after',
      '\nReads the same environment and .env as the server, and works while it runs.\nExit codes: 0 done, 1 the operation failed, 2 wrong usage.',
    )
    .exitOverride();
  for (const [name, { about }] of Object.entries(GROUPS)) program.command(name).description(about);
  try {
    // The first word is a group, or it is "help" and the second one is.
    const named = program.commands.filter((command) => process.argv.slice(2, 4).includes(command.name()));
    for (const command of named) (await GROUPS[command.name()]?.load())?.(command);
    await program.parseAsync();
  } catch (error) {
    // Commander has said already what there was to say, and is no reason to load what the other errors come from.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : WRONG_USAGE;
    else process.exitCode = (await import('./report.ts')).report(error);
  }
}
