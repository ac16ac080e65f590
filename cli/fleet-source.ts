import { readdirSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import type { FoundKey, KeyFor } from '../src/lib/fleet-admin/import-entries.ts';
import type { VarsFile } from '../src/lib/fleet-files/ansible-fleet.ts';
import { MOST_ENTRIES, type FileProblem } from '../src/lib/fleet-files/fleet-entry.ts';
import type { FileFormat } from '../src/lib/facts/file-format.ts';
import { formatOf, type FileToRead } from '../src/lib/fleet-files/read-fleet-file.ts';
import { MOST_FILE_BYTES, readFileText } from '../src/lib/parsing/file-text.ts';
import { problemInWords } from '../src/lib/views/import-words.ts';
import { FAILED } from './caller.ts';
import { givenPath, UsageError } from './context.ts';
import { printJson } from './output.ts';

/** How Ansible names the inventory in a folder. */
const INVENTORIES = [
  'hosts',
  'inventory',
  'hosts.ini',
  'inventory.ini',
  'hosts.yml',
  'hosts.yaml',
  'inventory.yml',
  'inventory.yaml',
];

/** The text of a file, or of standard input for `-`. Throws `UsageError` where it is none that can be read. */
export function readTextFile(file: string): string {
  let bytes: Buffer;
  try {
    if (file !== '-' && statSync(givenPath(file)).size > MOST_FILE_BYTES)
      throw new UsageError(`${file} is larger than ${MOST_FILE_BYTES} bytes`);
    bytes = readFileSync(file === '-' ? 0 : givenPath(file));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(
      `${file} cannot be read (${(error as NodeJS.ErrnoException).code}); allowed: the path of a file, or - for standard input`,
    );
  }
  const read = readFileText(bytes);
  if ('problem' in read) throw new UsageError(`${file}: ${read.problem}`);
  return read.text;
}

/** From where paths in a file are seen. */
export const fleetFolder = (file: string): string => (file === '-' ? givenPath('.') : dirname(givenPath(file)));

/** A fleet as another program wrote it down; a folder is that of an Ansible inventory. */
export function readFleetSource(
  given: string,
  format: FileFormat | undefined,
): FileToRead & { readonly folder: string } {
  const file = given !== '-' && isFolder(givenPath(given)) ? inventoryIn(given) : given;
  const text = readTextFile(file);
  const folder = fleetFolder(file);
  const isOf = format ?? formatOf(text, basename(file));
  const varsFiles =
    isOf.startsWith('ansible') && file !== '-' ? [...readVars(folder, 'group'), ...readVars(folder, 'host')] : [];
  return { text, format: isOf, varsFiles, folder };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function inventoryIn(folder: string): string {
  const there = new Set(readdirSync(givenPath(folder)));
  const found = INVENTORIES.filter((name) => there.has(name));
  if (found.length === 1) return join(folder, found[0] ?? '');
  throw new UsageError(
    `${folder} is a folder with ${found.length === 0 ? 'no inventory' : `${found.length} inventories`} in it; name the file (looked for: ${INVENTORIES.join(', ')})`,
  );
}

/** The files of `host_vars` or `group_vars` beside an inventory: `web1`, `web1.yml`, or a folder `web1` with such files. */
function readVars(folder: string, kind: VarsFile['kind']): VarsFile[] {
  const vars = join(folder, `${kind}_vars`);
  if (!isFolder(vars)) return [];
  const files = readdirSync(vars)
    .toSorted()
    .flatMap((name): { name: string; file: string }[] =>
      isFolder(join(vars, name))
        ? readdirSync(join(vars, name))
            .toSorted()
            .map((inner) => ({ name, file: join(`${kind}_vars`, name, inner) }))
        : [{ name: name.replace(/\.(?:ya?ml|json)$/, ''), file: join(`${kind}_vars`, name) }],
    )
    .filter(({ file }) => !basename(file).startsWith('.') && !isFolder(join(folder, file)));
  if (files.length > MOST_ENTRIES)
    throw new UsageError(`${vars} has ${files.length} files; allowed: up to ${MOST_ENTRIES}`);
  return files.map(({ name, file }) => {
    const read = readFileText(readFileSync(join(folder, file)));
    if (!('problem' in read)) return { kind, name, file, text: read.text };
    if (read.problem === 'the file is empty') return { kind, name, file, text: '' };
    throw new UsageError(`${join(folder, file)}: ${read.problem}`);
  });
}

const LONGEST_KEY = 64 * 1024;

/** Reads private keys by the paths in a file, which are seen from its `folder`; each once. */
export function keysFrom(folder: string, forAll: FoundKey | null): KeyFor {
  const known = new Map<string, FoundKey>();
  const read = (keyFile: string): FoundKey => {
    const path = keyFile.startsWith('~/') ? join(homedir(), keyFile.slice(2)) : resolve(folder, keyFile);
    try {
      if (statSync(path).size > LONGEST_KEY) return { problem: `the key file ${keyFile} is too large for a key` };
      return { text: readFileSync(path, 'utf8') };
    } catch (error) {
      return {
        problem: `the key file ${keyFile} cannot be read (${(error as NodeJS.ErrnoException).code}); --key-file names one for all`,
      };
    }
  };
  return (keyFile) => {
    if (forAll !== null) return forAll;
    if (keyFile === undefined) return { problem: 'no key file is named; --key-file names one for all' };
    const found = known.get(keyFile) ?? read(keyFile);
    known.set(keyFile, found);
    return found;
  };
}

/** What is wrong with a file, line by line: nothing was done with it. */
export function refuseFile(problems: readonly FileProblem[], json: boolean): void {
  if (json) printJson({ problems });
  else console.error(problems.map((problem) => `error: ${problemInWords(problem)}`).join('\n'));
  process.exitCode = FAILED;
}
