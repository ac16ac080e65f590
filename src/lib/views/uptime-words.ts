import { durationInWords } from '../facts/time-words.ts';
import type { DailyBar } from './uptime-read.ts';
import type { CheckMark } from './checks-read.ts';
import type { SampleState } from '../history/rules/spans.ts';

/** `99.98 %`; never 100 % of a time that was not all up, and null is not known. */
export function percentInWords(uptime: number | null): string {
  if (uptime === null) return 'no data';
  if (uptime === 1) return '100 %';
  return `${(Math.floor(uptime * 10_000) / 100).toFixed(2)} %`;
}

/** How a day is drawn: its shape says the same as its colour. */
export type DayGrade = 'up' | 'dented' | 'broken' | 'unknown';

const DENT = 0.99;

export function gradeOf({ uptime }: Pick<DailyBar, 'uptime'>): DayGrade {
  if (uptime === null) return 'unknown';
  if (uptime === 1) return 'up';
  return uptime >= DENT ? 'dented' : 'broken';
}

/** `14 Nov` of `2026-11-14`. */
export const shortDay = (day: string): string =>
  new Date(`${day}T00:00:00Z`).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });

/** `14 Nov: 99.31 %, not running for 10 min`. */
export const dayInWords = (bar: DailyBar): string => {
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
