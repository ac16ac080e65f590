const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

const date = (atMs: number): string => {
  const at = new Date(atMs);
  return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]}`;
};
const clock = (atMs: number): string => new Date(atMs).toISOString().slice(11, 16);
const isSameDay = (oneMs: number, otherMs: number): boolean =>
  new Date(oneMs).toISOString().slice(0, 10) === new Date(otherMs).toISOString().slice(0, 10);

/** `14:03 UTC`, and with its day where that is not the day of `referenceMs`: `14:03 UTC on 23 November`. */
export const timeInWords = (atMs: number, referenceMs: number): string =>
  `${clock(atMs)} UTC${isSameDay(atMs, referenceMs) ? '' : ` on ${date(atMs)}`}`;

/** `24 November 2026, 14:03 UTC`. */
export const fullTime = (atMs: number): string =>
  `${date(atMs)} ${new Date(atMs).getUTCFullYear()}, ${clock(atMs)} UTC`;

/** `40 s`, `77 min`, `3 h 5 min`, `2 days 4 h`: two units at most, rounded down. */
export function durationInWords(durationMs: number): string {
  const seconds = Math.max(0, Math.floor(durationMs / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (seconds < 120) return `${seconds} s`;
  if (minutes < 100) return `${minutes} min`;
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return hours % 24 === 0 ? `${hours / 24} days` : `${Math.floor(hours / 24)} days ${hours % 24} h`;
}

/** `from 14:03 to 15:20 UTC (77 min)`; with the days where they differ. */
export function spanInWords(fromMs: number, toMs: number): string {
  const days = !isSameDay(fromMs, toMs);
  const from = `${days ? `${date(fromMs)} ` : ''}${clock(fromMs)}`;
  const to = `${days ? `${date(toMs)} ` : ''}${clock(toMs)}`;
  return `from ${from} to ${to} UTC (${durationInWords(toMs - fromMs)})`;
}

/** `90 s`, `4 min`, `3 h`, `5 days`: one unit, rounded down; seconds as long as each of them is awaited. */
export function shortDuration(durationMs: number): string {
  const seconds = Math.max(0, Math.floor(durationMs / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} days`;
}

/** `2,000`: every count that people read, on a page, in a mail and in a terminal. Null, where it is not known: `some`. */
export const withCommas = (number: number | null): string => (number === null ? 'some' : inThousands(String(number)));

/** By hand: to ask for a locale costs a short command as much as all its work. */
const inThousands = (digits: string): string =>
  digits.length <= 3 ? digits : `${inThousands(digits.slice(0, -3))},${digits.slice(-3)}`;

export const count = (number: number, one: string, many = `${one}s`): string =>
  `${withCommas(number)} ${number === 1 ? one : many}`;

export const relativeTime = (at: Date, now: Date): string => `${shortDuration(now.getTime() - at.getTime())} ago`;

/** `1.5 s`, `30 min`, `7 days`: the largest unit that says it without a rest. */
export function exactDuration(ms: number): string {
  if (ms > 0 && ms % 86_400_000 === 0) return count(ms / 86_400_000, 'day');
  if (ms > 0 && ms % 3_600_000 === 0) return `${ms / 3_600_000} h`;
  if (ms > 0 && ms % 60_000 === 0) return `${ms / 60_000} min`;
  return ms >= 1_000 ? `${ms / 1_000} s` : `${ms} ms`;
}
