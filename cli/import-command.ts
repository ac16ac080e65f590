import { Option, type Command } from 'commander';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { shortAddress } from '../src/lib/facts/host-words.ts';
import type { ImportResult } from '../src/lib/facts/import-result.ts';
import { FORMATS, type FileFormat } from '../src/lib/facts/file-format.ts';
import { importInWords, OUTCOME_WORDS } from '../src/lib/views/import-words.ts';
import { FAILED } from './caller.ts';
import { jsonOption, readKeyFile, UsageError, withApp, type JsonOption } from './context.ts';
import { clearBar, drawBar, print, printJson, renderColumns } from './output.ts';

type ImportOptions = JsonOption & {
  format?: FileFormat;
  dryRun?: true;
  goodOnes?: true;
  customer?: string;
  keyFile?: string;
  sharedKey?: true;
  user?: string;
  port?: string;
  service?: string;
  labels?: string;
};

/** `wardround vps import FILE`. */
export function addImportCommand(vps: Command): void {
  vps
    .command('import')
    .description('add the VPSs that a file names: each is tried first, and none is added unless all of them work')
    .argument('<file>', 'a table, a list, an Ansible inventory (or its folder), ~/.ssh/config; - for standard input')
    .addOption(new Option('--format <format>', 'what the file is (default: as it looks)').choices([...FORMATS]))
    .option('--dry-run', 'try them, and add nothing')
    .option('--good-ones', 'add those that work, and leave out the others')
    .option('--customer <address>', 'for those without one, such as {name}@example.com ({name}, {host})')
    .option('--key-file <file>', 'private key for all of them, whatever the file says')
    .addOption(
      new Option('--shared-key', "the fleet's shared key for all of them (wardround ssh-key)").conflicts('keyFile'),
    )
    .option('--user <login>', 'SSH login, where the file names none (default: root)')
    .option('--port <port>', 'SSH port, likewise (default: 22)')
    .option('--service <unit>', 'systemd unit to watch, likewise (default: the setting MONITORED_SERVICE)')
    .option('--labels <labels>', 'labels for all of them, besides their own')
    .addOption(jsonOption())
    .action((file: string, { json, dryRun, goodOnes, ...options }: ImportOptions) => {
      if (dryRun && goodOnes)
        throw new UsageError('--dry-run adds nothing, --good-ones adds what works: give one of them');
      return importFile(file, options, { mode: dryRun ? 'none' : goodOnes ? 'good' : 'all', json: json === true });
    });
}

type How = { readonly mode: 'all' | 'good' | 'none'; readonly json: boolean };

async function importFile(file: string, options: Omit<ImportOptions, 'json'>, { mode, json }: How): Promise<void> {
  // What reads files of a dozen kinds is nothing for the commands beside this one to load.
  const { keysFrom, readFleetSource, refuseFile } = await import('./fleet-source.ts');
  const { readFleetFile } = await import('../src/lib/fleet-files/read-fleet-file.ts');
  const source = readFleetSource(file, options.format);
  const read = readFleetFile(source);
  if ('problems' in read) {
    refuseFile(read.problems, json);
    return;
  }
  for (const note of read.notes) console.error(note);
  const { keyFile, sharedKey } = options;
  const forAll = sharedKey ? { text: null } : keyFile === undefined ? null : { text: readKeyFile(keyFile) };
  const { user = '', port = '', service = '', labels = '', customer = '' } = options;
  await withApp(async (app) => {
    const { prepareImport } = await import('../src/lib/fleet-admin/import-entries.ts');
    const { addTried, tryAll } = await import('../src/lib/fleet-admin/import-fleet.ts');
    const defaults = { customer, user, port, service, labels };
    const prepared = prepareImport(app, read.entries, defaults, keysFrom(source.folder, forAll));
    if ('problems' in prepared) return refuseFile(prepared.problems, json);
    const { candidates, known } = prepared;
    const stop = new AbortController();
    const onSignal = (): void => stop.abort();
    process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
    const isSeen = process.stderr.isTTY && !json;
    let done = 0;
    const draw = (): void => (isSeen ? drawBar(done, candidates.length, ' tried') : undefined);
    draw();
    const onTried = (): void => {
      done++;
      draw();
    };
    const tried = await tryAll(app, candidates, { signal: stop.signal, onTried });
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    if (isSeen) clearBar();
    const results = await addTried(app, LOCAL_OPERATOR, { tried, known }, stop.signal.aborted ? 'none' : mode);
    const summary = importInWords(results);
    if (json) printJson({ summary, results });
    else print([renderResults(results), summary].filter(Boolean).join('\n\n'));
    const isRight = results.every(({ outcome }) =>
      ['added', 'known', mode === 'none' ? 'good' : 'added'].includes(outcome),
    );
    if (!isRight) process.exitCode = FAILED;
  }, 'begin');
}

const renderResults = (results: readonly ImportResult[]): string =>
  renderColumns(
    ['LINE', 'HOST', 'CUSTOMER', 'RESULT', 'WHAT WE SAW'],
    results.map(({ line, host, port, email, outcome, saw }) => [
      String(line),
      shortAddress(host, port),
      email,
      OUTCOME_WORDS[outcome],
      saw,
    ]),
  );
