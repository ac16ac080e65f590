import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Option } from 'commander';
import { openApp, type App } from '../src/lib/app.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { readEnvironment } from '../src/lib/environment.ts';
import { hostAndPort } from '../src/lib/facts/host-words.ts';
import { filterInWords, parseLabelFilter, type LabelFilter } from '../src/lib/facts/label.ts';
import { findVps, listVps, type FleetRow } from '../src/lib/views/fleet-read.ts';
import { callerDir } from './caller.ts';
import { confirm } from './output.ts';

/** What was asked for cannot be understood, or not be taken. */
export class UsageError extends Error {}
/** What was asked for cannot be done as things are. */
export class FailedError extends Error {}

/** Opens the app for `work`. Only a command that says so, by `begin`, may make a database where there has been none. */
export async function withApp<T>(
  work: (app: App) => Promise<T> | T,
  opening: 'existing' | 'begin' = 'existing',
): Promise<T> {
  const app = await openApp(readEnvironment(), opening);
  if (app.isNewDatabase) console.error(`Began a new database at ${app.settings.databasePath}.`);
  if (app.createdKeyFile !== null)
    console.error(
      `Made a fresh encryption key in ${app.createdKeyFile}. Back it up: without it no stored SSH key can be read.`,
    );
  try {
    return await work(app);
  } finally {
    app.close();
  }
}

/** The one VPS that is meant. Throws `FailedError` for none and for several. */
export function theVps(app: App, wanted: string): FleetRow {
  const found = findVps(app, LOCAL_OPERATOR, wanted, new Date());
  const [vps, ...others] = found;
  if (!vps) throw new FailedError(`no VPS ${JSON.stringify(wanted)} in the fleet; "wardround vps list" shows them all`);
  if (others.length > 0)
    throw new FailedError(
      `${JSON.stringify(wanted)} stands for ${found.length} VPSs; name one: ${found.map((row) => hostAndPort(row.host, row.port)).join(', ')}`,
    );
  return vps;
}

/** Which VPSs a command is for: the one that is named, or all with these labels. */
export type Meant = { readonly wanted: string | undefined; readonly labels: readonly LabelFilter[] };
export type LabelOption = { label: readonly LabelFilter[] };

/** `--label`, which may be given several times. */
export const labelOption = (description: string) =>
  new Option('--label <label>', description)
    .argParser((text, before: readonly LabelFilter[]): readonly LabelFilter[] => {
      const filter = parseLabelFilter(text);
      if (filter === null)
        throw new UsageError(
          `--label is ${JSON.stringify(text)}; allowed: a label such as provider=hetzner or canary, or its name alone`,
        );
      return [...before, filter];
    })
    .default([], 'none');

export const ALL_LABELLED = 'instead of one VPS, all that have this label; several: all of them';

/** Those VPSs, in the order of the fleet. Throws `UsageError` unless it is one or the other, `FailedError` for none. */
export function meantVps(app: App, { wanted, labels }: Meant): FleetRow[] {
  if ((wanted === undefined) === (labels.length === 0))
    throw new UsageError('name one VPS by its host or id, or several by --label');
  if (wanted !== undefined) return [theVps(app, wanted)];
  const found = listVps(app, LOCAL_OPERATOR, new Date(), labels);
  if (found.length === 0)
    throw new FailedError(`no VPS of the fleet has the label ${labels.map(filterInWords).join(' and ')}`);
  return found;
}

/** Asks a person at a terminal; a script has said what it wants. Throws `FailedError` after a no. */
export async function confirmUnless(certain: boolean, question: string): Promise<void> {
  if (!certain && process.stdin.isTTY && !(await confirm(question))) throw new FailedError('nothing was changed');
}

/** A file that a person has named, as seen from where the person is. */
export const givenPath = (file: string): string => resolve(callerDir, file);

export const readKeyFile = (file: string): string => readGivenFile('--key-file', file, 'a private key');

export function readGivenFile(option: string, file: string, what: string): string {
  try {
    return readFileSync(givenPath(file), 'utf8');
  } catch (error) {
    throw new UsageError(
      `${option} ${file} cannot be read (${(error as NodeJS.ErrnoException).code}); allowed: the path of ${what}`,
    );
  }
}

export type JsonOption = { json?: true };
export const jsonOption = () => new Option('--json', 'print one JSON document on stdout, and nothing else');
