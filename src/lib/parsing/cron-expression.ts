import { createRequire } from 'node:module';
import type CronParser from 'cron-parser';

/*
 * cron-parser brings a whole library of dates, which costs a short command as much as all its work. So it is loaded where
 * an expression is odd, and not by whoever reads the settings.
 */
const load = createRequire(import.meta.url);
const cronParser = (): typeof CronParser => load('cron-parser') as typeof CronParser;

const FIELDS = {
  second: [0, 59],
  minute: [0, 59],
  hour: [0, 23],
  day: [1, 31],
  month: [1, 12],
  weekday: [0, 7],
} as const;

/** Whether it is a cron expression as node-schedule takes it: five fields, or six with seconds first. */
export function isCron(text: string): boolean {
  const fields = text.split(/\s+/);
  if (fields.length !== 5 && fields.length !== 6) return false;
  if (isPlain(fields)) return true;
  try {
    cronParser().parseExpression(text);
    return true;
  } catch {
    return false;
  }
}

/** Whether there are numbers, ranges, steps and lists of them only, and nothing in them could be wrong. */
function isPlain(fields: readonly string[]): boolean {
  const [month, day] = [fields.at(-2), fields.at(-3)];
  // 30 February is no day.
  if (month !== '*' && day !== '*') return false;
  const bounds = Object.values(FIELDS).slice(-fields.length);
  return fields.every((field, at) => field.split(',').every((part) => isPlainPart(part, bounds[at] ?? [0, 0])));
}

function isPlainPart(part: string, [least, most]: readonly [number, number]): boolean {
  const match = /^(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:\/(\d{1,2}))?$/.exec(part);
  if (match === null) return false;
  const [, from, to, step] = match;
  // A step from one number on is rare enough to be asked about.
  if (step !== undefined && (Number(step) < 1 || Number(step) > most || (from !== undefined && to === undefined)))
    return false;
  const [first, last] = [Number(from ?? least), Number(to ?? from ?? most)];
  return least <= first && first <= last && last <= most && (from === undefined || to === undefined || first < last);
}

/** The first `count` runs of a valid expression in 1970, in milliseconds of UTC. Throws for what never runs. */
export function firstRuns(cron: string, count: number): number[] {
  const fields = cron.split(/\s+/);
  if (isPlain(fields)) return Array.from(takeFirst(plainRuns(fields), count));
  const runs = cronParser().parseExpression(cron, { currentDate: new Date(-1), utc: true });
  return Array.from({ length: count }, () => runs.next().getTime());
}

function* takeFirst(runs: Iterable<number>, count: number): Iterable<number> {
  let taken = 0;
  for (const run of runs) {
    yield run;
    if (++taken === count) return;
  }
}

const DAY_MS = 86_400_000;

/** Without end: an expression that is plain runs in every year. */
function* plainRuns(fields: readonly string[]): Iterable<number> {
  const six = fields.length === 6 ? fields : ['0', ...fields];
  const [seconds = [], minutes = [], hours = [], days = [], months = [], weekdays = []] = Object.values(FIELDS).map(
    (bounds, at) => numbersOf(six[at] ?? '*', bounds),
  );
  // As cron has it: where both are narrowed down, either will do.
  const [isAnyDay, isAnyWeekday] = [days.length === 31, weekdays.length === 8];
  const isDue = (day: Date): boolean => {
    const isDay = days.includes(day.getUTCDate());
    const isWeekday = weekdays.some((one) => one % 7 === day.getUTCDay());
    return (
      months.includes(day.getUTCMonth() + 1) && (isAnyDay || isAnyWeekday ? isDay && isWeekday : isDay || isWeekday)
    );
  };
  for (let dayMs = 0; ; dayMs += DAY_MS) {
    if (!isDue(new Date(dayMs))) continue;
    for (const hour of hours)
      for (const minute of minutes)
        for (const second of seconds) yield dayMs + ((hour * 60 + minute) * 60 + second) * 1_000;
  }
}

/** All that a plain field means, from the smallest number on. */
function numbersOf(field: string, [least, most]: readonly [number, number]): number[] {
  const numbers = field.split(',').flatMap((part) => {
    const [range = '', step = '1'] = part.split('/');
    const [from = '', to = from] = range === '*' ? [String(least), String(most)] : range.split('-');
    const length = Math.floor((Number(to) - Number(from)) / Number(step)) + 1;
    return Array.from({ length }, (_, index) => Number(from) + index * Number(step));
  });
  return [...new Set(numbers)].sort((a, b) => a - b);
}
