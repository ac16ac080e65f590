import { accessSync, constants } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseSettings, type Settings } from '../config.ts';
import { Inspection } from '../db/inspect.ts';
import { realPath, sizeOf } from '../db/files.ts';
import { databaseTrouble } from '../db/trouble.ts';
import { ConfigurationError, type Environment } from '../environment.ts';
import { messageOf } from '../log.ts';
import { PROBES, type Patient } from './probes.ts';
import { CHECK_NAMES, CHECKS, judgeCheck, type Facts, type Finding } from './rules/checks.ts';

export type Examined = Finding & { readonly name: keyof Facts; readonly title: string };

/** What has not come to its end after that is given up. */
const PATIENCE_MS = 2_500;
const GRACE_MS = 500;

/**
 * Looks at all that Wardround needs, changes nothing and needs nothing to be well. Within five seconds; what could not be
 * found out is `not known`. Never rejects.
 */
export async function examine(environment: Environment): Promise<readonly Examined[]> {
  const configuration = readConfiguration(environment);
  const named = <Name extends keyof Facts>(name: Name, facts: Parameters<typeof judgeCheck<Name>>[1]): Examined => ({
    name,
    title: CHECKS[name].title,
    ...judgeCheck(name, facts),
  });
  const configured = named('configuration', { known: { problems: configuration.problems } });
  const { settings } = configuration;
  const rest = CHECK_NAMES.filter((name) => name !== 'configuration' && name !== 'database');
  if (settings === null) {
    const unknown = 'the configuration cannot be read';
    return [configured, named('database', { unknown }), ...rest.map((name) => named(name, { unknown }))];
  }
  const opened = openReadOnly(settings);
  const found = named('database', { known: { path: settings.databasePath, problem: opened.problem } });
  const { database } = opened;
  try {
    const patient: Patient = {
      settings,
      deadline: AbortSignal.timeout(PATIENCE_MS),
      get database() {
        if (database === null) throw new Error('the database cannot be read');
        return database;
      },
    };
    const late = tooLate();
    const probe = async (name: keyof typeof PROBES): Promise<Examined> => {
      try {
        return named(name, { known: await Promise.race([PROBES[name](patient), late]) });
      } catch (error) {
        return named(name, { unknown: messageOf(error) });
      }
    };
    return [configured, found, ...(await Promise.all(rest.map((name) => probe(name))))];
  } finally {
    database?.close();
  }
}

/** Rejects after the deadline: a disk that hangs ends no probe. */
async function tooLate(): Promise<never> {
  await sleep(PATIENCE_MS + GRACE_MS, undefined, { ref: false });
  throw new Error('no answer in time');
}

function readConfiguration(environment: Environment): {
  readonly settings: Settings | null;
  readonly problems: readonly string[];
} {
  try {
    // As `npm start` is, where nothing else is said: the command line is no server.
    return { settings: parseSettings({ NODE_ENV: 'production', ...environment }), problems: [] };
  } catch (error) {
    return { settings: null, problems: error instanceof ConfigurationError ? error.problems : [messageOf(error)] };
  }
}

function openReadOnly({ databasePath }: Settings): {
  readonly database: Inspection | null;
  readonly problem: string | null;
} {
  if (sizeOf(databasePath) === 0) return { database: null, problem: `there is no database at ${databasePath}` };
  try {
    const database = new Inspection(databasePath);
    return { database, problem: whyReadOnly(realPath(databasePath)) };
  } catch (error) {
    const what = databaseTrouble(error)?.title ?? messageOf(error);
    return { database: null, problem: `${databasePath}: ${what}` };
  }
}

/** SQLite writes beside the file, too. */
function whyReadOnly(path: string): string | null {
  for (const place of [path, dirname(path)])
    try {
      accessSync(place, constants.W_OK);
    } catch (error) {
      return `${place} cannot be written to (${(error as NodeJS.ErrnoException).code})`;
    }
  return null;
}
