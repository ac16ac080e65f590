import { format } from 'node:util';
import type { Logger } from 'pino';
import { maskKeysIn } from './facts/mask-secrets.ts';
import { cleanRemoteText } from './facts/remote-text.ts';

export type Log = { readonly info: (line: string) => void; readonly error: (line: string) => void };

const LONGEST_LINE = 500;
/** What others print may be a stack trace. */
const LONGEST_PRINT = 20_000;

/** What writes JSON in the place of human lines, by level; null: nothing does. */
let json: Readonly<Record<keyof Log, Logger>> | null = null;

/**
 * From now on this process writes one JSON document a line, with `level`, `time` (ISO 8601, UTC), `component`, which is the
 * prefix of human lines, and `msg`. So does what others print by `console`, as the web server and Node do.
 */
export async function logAsJson(): Promise<void> {
  if (json !== null) return;
  // Few ask for it, and every command would wait for it.
  const { pino } = await import('pino');
  const options = {
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (level: string) => ({ level }) },
  };
  // To the streams that human lines go to, and at once: a line that waits is lost with the process.
  const loggers = { info: pino(options, pino.destination(1)), error: pino(options, pino.destination(2)) };
  json = loggers;
  const told = (given: readonly unknown[]): string => maskKeysIn(format(...given).slice(0, LONGEST_PRINT));
  console.log = console.info = (...given) => loggers.info.info({ component: 'process' }, told(given));
  console.error = console.warn = (...given) => loggers.error.error({ component: 'process' }, told(given));
}

/**
 * Lines behind a prefix: `[health-checker] sweep started: 12 active VPSs`, unless they are written as JSON. Whatever a line
 * was made of, it stays one line without control characters and private keys.
 */
export const createLog = (prefix: string): Log => ({
  info: (line) => say('info', prefix, line),
  error: (line) => say('error', prefix, line),
});

function say(level: keyof Log, component: string, text: string): void {
  const line = maskKeysIn(cleanRemoteText(text, LONGEST_LINE));
  if (json !== null) json[level][level]({ component }, line);
  else console[level === 'info' ? 'log' : 'error'](`[${component}] ${line}`);
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
