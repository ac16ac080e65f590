import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { dirname, relative, resolve } from 'node:path';
import { inspect } from 'node:util';
import { ConfigurationError } from '../src/lib/environment.ts';
import { databaseTrouble, DatabaseError } from '../src/lib/db/trouble.ts';
import { RefusedError } from '../src/lib/fleet-admin/the-vps.ts';
import { FAILED, WRONG_USAGE } from './caller.ts';
import { FailedError, UsageError } from './context.ts';

const FORESEEN = [FailedError, RefusedError, ConfigurationError, DatabaseError];

/** Says on stderr what went wrong, with a stack where nobody foresaw it, and returns the exit code. */
export function report(error: unknown): number {
  if (error instanceof UsageError) {
    console.error(error.message.replaceAll(/^/gm, 'error: '));
    return WRONG_USAGE;
  }
  const foreseen = FORESEEN.find((kind) => error instanceof kind) !== undefined;
  const trouble = foreseen ? null : databaseTrouble(error);
  if (trouble !== null) console.error(`error: ${trouble.title} ${trouble.remedy}`);
  else console.error(foreseen ? `error: ${(error as Error).message}` : withSources(inspect(error)));
  return FAILED;
}

/**
 * A stack that names places in the sources instead of the bundle. Node could do that by itself, but would read the map
 * of everything it loads, which costs more than loading it.
 */
const withSources = (stack: string): string =>
  stack.replaceAll(
    /(?<=[( ])((?:\/|[A-Z]:\\)[^\n()]*\.cjs):(\d+):(\d+)/g,
    (place, file: string, line: string, column: string) => {
      try {
        const map = new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8')) as SourceMapPayload);
        const origin = map.findOrigin(Number(line), Number(column));
        return 'fileName' in origin
          ? `${relative('', resolve(dirname(file), origin.fileName))}:${origin.lineNumber}:${origin.columnNumber}`
          : place;
      } catch {
        return place;
      }
    },
  );
