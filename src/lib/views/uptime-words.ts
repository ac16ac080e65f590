import { durationInWords, timeInWords } from '../facts/time-words.ts';
import type { DailyBar, UptimeWindows } from './uptime-read.ts';
import type { CheckMark } from './checks-read.ts';
import type { SampleState } from '../history/rules/spans.ts';

/** `99.98 %`; never 100 % of a time that was not all up, and null is not known. */
export function percentInWords(uptime: number | null): string {
  if (uptime === null) return 'no data';
  if (uptime === 1) return '100 %';
  return `${(Math.floor(uptime * 10_000) / 100).toFixed(2)} %`;
}

/** How long something must have been known before a share of it says anything. */
const TELLING_MS = 60 * 60_000;

/** A window is seen whole when hardly anything of it is missing: what is kept ends with whole hours and days. */
const WHOLE = 0.98;

/** The windows, from the shortest, and what they are called. */
export const UPTIME_WINDOWS = [
  { window: '24h', name: '24 hours', lengthMs: 24 * 3_600_000 },
  { window: '7d', name: '7 days', lengthMs: 7 * 24 * 3_600_000 },
  { window: '30d', name: '30 days', lengthMs: 30 * 24 * 3_600_000 },
  { window: '90d', name: '90 days', lengthMs: 90 * 24 * 3_600_000 },
] as const;

/** `value` null: nothing that says anything. `note`: since when, where that is within the window. */
export type UptimeFigure = { readonly name: string; readonly value: string | null; readonly note: string | null };

/**
 * The uptime of each window as it may be said: of a VPS that is watched for a shorter time, the first window that is too
 * long tells since when, and the longer ones, which would say the same again, say nothing. Nor does a share of less than
 * an hour.
 */
export function uptimeFigures(uptime: UptimeWindows, now: Date): UptimeFigure[] {
  const { watchedSince } = uptime;
  const watchedMs = watchedSince === null ? 0 : now.getTime() - watchedSince.getTime();
  const young = UPTIME_WINDOWS.findIndex(({ lengthMs }) => WHOLE * lengthMs > watchedMs);
  return UPTIME_WINDOWS.map(({ window, name }, index) => {
    if (watchedSince === null || (young !== -1 && index > young)) return { name, value: null, note: null };
    return {
      name,
      value: isTelling(uptime[window]) ? percentInWords(uptime[window].uptime) : null,
      note: index === young ? `since ${timeInWords(watchedSince.getTime(), now.getTime())}` : null,
    };
  });
}

type Known = { readonly upMs: number; readonly downMs: number };

/** Whether enough is known for a share of it. */
export const isTelling = ({ upMs, downMs }: Known): boolean => upMs + downMs >= TELLING_MS;

/** How a day is drawn: its shape says the same as its colour. */
export type DayGrade = 'up' | 'dented' | 'broken' | 'unknown';

const DENT = 0.99;

/** Of a day that has hardly begun to be watched, only an interruption is worth a mark, and a long one is long by itself. */
export function gradeOf(bar: Known & Pick<DailyBar, 'uptime'>): DayGrade {
  const { uptime, upMs, downMs } = bar;
  if (uptime === null) return 'unknown';
  if (uptime === 1) return isTelling(bar) ? 'up' : 'unknown';
  return downMs <= (1 - DENT) * Math.max(upMs + downMs, TELLING_MS) ? 'dented' : 'broken';
}

/** `14 Nov` of `2026-11-14`. */
export const shortDay = (day: string): string =>
  new Date(`${day}T00:00:00Z`).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });

/** `14 Nov: 99.31 %, not running for 10 min`; no share of a day of which little is known. */
export const dayInWords = (bar: DailyBar): string => {
  const knownMs = bar.upMs + bar.downMs;
  if (knownMs > 0 && !isTelling(bar))
    return `${shortDay(bar.day)}: ${bar.downMs === 0 ? 'running' : `not running for ${durationInWords(bar.downMs)}`} in the ${durationInWords(knownMs)} that are known`;
  const what = percentInWords(bar.uptime);
  return `${shortDay(bar.day)}: ${bar.downMs === 0 ? what : `${what}, not running for ${durationInWords(bar.downMs)}`}`;
};

/** What a check found, as it is said to anybody. */
export const SAMPLE_WORDS: Readonly<Record<SampleState, string>> = {
  healthy: 'running',
  unhealthy: 'not running',
  down: 'no answer',
  maintenance: 'maintenance',
  unknown: 'not known',
};

/** `58 of the last 60 checks found it running; 2 not running.` */
export function checksInWords(checks: readonly Pick<CheckMark, 'state'>[]): string {
  if (checks.length === 0) return 'No check yet.';
  const counts = Map.groupBy(checks, ({ state }) => state);
  const count = (state: SampleState): number => counts.get(state)?.length ?? 0;
  if (count('healthy') === checks.length)
    return checks.length === 1
      ? 'The one check found it running.'
      : `All of the last ${checks.length} checks found it running.`;
  const others = (['unhealthy', 'down', 'maintenance', 'unknown'] as const)
    .filter((state) => count(state) > 0)
    .map((state) => `${count(state)} ${SAMPLE_WORDS[state]}`);
  if (checks.length === 1) return `The one check so far: ${SAMPLE_WORDS[checks[0]?.state ?? 'unknown']}.`;
  return `${count('healthy')} of the last ${checks.length} checks found it running; ${others.join(', ')}.`;
}
