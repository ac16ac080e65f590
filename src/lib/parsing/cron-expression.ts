import { createRequire } from 'node:module';
import type CronParser from 'cron-parser';

/*
 * cron-parser brings a whole library of dates, which costs a short command as much as all its work. So it is loaded where
 * an expression is odd, or its runs are worked out, and not by whoever reads the settings.
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

/** The first `count` runs after `from`, in milliseconds since 1970. Throws for what never runs. */
export function runsAfter(cron: string, from: Date, count: number): number[] {
  const runs = cronParser().parseExpression(cron, { currentDate: from });
  return Array.from({ length: count }, () => runs.next().getTime());
}
