import type { Command } from 'commander';
import { parseSettings } from '../src/lib/config.ts';
import { readEnvironment } from '../src/lib/environment.ts';
import { readKey } from '../src/lib/crypto/encryption-key.ts';
import { backUp, type CopyOptions, type CopyReport } from '../src/lib/db/backup.ts';
import { restore } from '../src/lib/db/restore.ts';
import { count } from '../src/lib/facts/time-words.ts';
import { confirmUnless, FailedError, givenPath, jsonOption, type JsonOption } from './context.ts';
import { clearBar, drawBar, print, printJson } from './output.ts';

/** What is done sooner needs no bar. */
const BAR_AFTER_MS = 1_000;

/** `wardround backup`. */
export function fillBackup(backup: Command): void {
  backup
    .argument('<file>', 'the file to make; nothing is overwritten')
    .addOption(jsonOption())
    .action(async (given: string, { json }: JsonOption) => {
      const settings = parseSettings(readEnvironment());
      const file = givenPath(given);
      const key = readKey(settings);
      const report = await withProgress(json === true, (options) =>
        backUp(settings.databasePath, file, { ...options, key }),
      );
      if (json) printJson({ file, database: settings.databasePath, ...report });
      else {
        print(`Backed up ${settings.databasePath} to ${file}: ${contentOf(report)}. The copy is whole.`);
        const where = settings.encryptionKey === null ? settings.encryptionKeyFile : 'ENCRYPTION_KEY';
        print(`The encryption key is not in it. Keep that too, elsewhere: ${where}`);
      }
    });
}

/** `wardround restore`. */
export function fillRestore(command: Command): void {
  command
    .argument('<file>', 'a file that "wardround backup" has made')
    .option('--yes', 'do not ask')
    .addOption(jsonOption())
    .action(async (given: string, { yes, json }: JsonOption & { yes?: true }) => {
      const settings = parseSettings(readEnvironment());
      const { databasePath, migrationsDir } = settings;
      const file = givenPath(given);
      const key = readKey(settings);
      await confirmUnless(yes === true || json === true, `Put ${file} in the place of ${databasePath}?`);
      const report = await withProgress(json === true, (options) =>
        restore(databasePath, file, { ...options, key, migrationsDir, now: new Date() }),
      );
      if (json) printJson({ file, database: databasePath, ...report });
      else {
        print(`Restored ${databasePath} from ${file}: ${contentOf(report)}. Start the server now.`);
        if (report.movedTo.length > 0)
          print(`What was there before is kept; delete it when all is well:\n  ${report.movedTo.join('\n  ')}`);
      }
    });
}

const contentOf = ({ bytes, vpsCount, lastCheckAt }: CopyReport): string =>
  `${(bytes / 1e6).toFixed(1)} MB, ${count(vpsCount, 'VPS')}, last check ${lastCheckAt?.toISOString() ?? 'never'}`;

/** Shows how far it is, at a terminal, when it takes long; Ctrl-C gives up, and leaves nothing behind. */
async function withProgress<T>(
  json: boolean,
  work: (options: Pick<CopyOptions, 'onProgress' | 'signal'>) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const onSignal = (): void => stop.abort(new FailedError('stopped before it was done; nothing was changed'));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  const startMs = performance.now();
  let isDrawn = false;
  try {
    return await work({
      signal: stop.signal,
      onProgress: ({ done, total }) => {
        isDrawn ||= !json && process.stderr.isTTY && performance.now() - startMs > BAR_AFTER_MS;
        if (isDrawn) drawBar(done, total, done === total ? ' pages, checking the copy' : ' pages');
      },
    });
  } finally {
    if (isDrawn) clearBar();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}
