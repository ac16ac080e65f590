import { cleanRemoteText } from './facts/remote-text.ts';

export type Log = { readonly info: (line: string) => void; readonly error: (line: string) => void };

const LONGEST_LINE = 500;

/**
 * Human lines behind a prefix: `[health-checker] sweep started: 12 active VPSs`. Whatever a line was made of, it stays
 * one line without control characters.
 */
export const createLog = (prefix: string): Log => ({
  info: (line) => console.log(`[${prefix}] ${cleanRemoteText(line, LONGEST_LINE)}`),
  error: (line) => console.error(`[${prefix}] ${cleanRemoteText(line, LONGEST_LINE)}`),
});

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
