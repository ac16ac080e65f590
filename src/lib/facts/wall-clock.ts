const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;

// eslint-disable-next-line walls/memory -- the same for the same name; making one takes 40 times as long as asking it
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known) return known;
  const format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  formats.set(timeZone, format);
  return format;
}

/** Whether this is the name of a time zone (IANA), such as `Europe/Oslo`. */
export function isTimeZone(name: string): boolean {
  try {
    formatOf(name);
    return true;
  } catch {
    return false;
  }
}

/** How far the clocks of a zone are ahead of UTC at an instant. Throws `RangeError` for a name that is no zone. */
function offsetMs(timeZone: string, atMs: number): number {
  const [, sign = '+', hours = '0', minutes = '0', seconds = '0'] =
    /GMT([+-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(formatOf(timeZone).format(atMs)) ?? [];
  const ahead = Number(hours) * HOUR_MS + Number(minutes) * 60_000 + Number(seconds) * 1000;
  return sign === '-' ? -ahead : ahead;
}

/** What the clocks of a zone show at an instant, as milliseconds: `Date.UTC(2026, 2, 29, 3)` means 03:00 on 29 March there. */
export const wallTimeAt = (timeZone: string, atMs: number): number => atMs + offsetMs(timeZone, atMs);

/**
 * The instant at which the clocks of a zone show this (`wallMs` as from `wallTimeAt`). A time that comes twice, as clocks
 * are set back, is the first of the two; one that never comes, as they are set forward, is as much later as they are:
 * 02:30 becomes 03:30. Source: RFC 5545, section 3.3.5.
 */
export function instantOf(timeZone: string, wallMs: number): number {
  // No zone is further than a day from UTC, so one of these is the offset before a change near by, the other that after.
  const [before, after] = [offsetMs(timeZone, wallMs - DAY_MS), offsetMs(timeZone, wallMs + DAY_MS)];
  const showsIt = (offset: number): boolean => offsetMs(timeZone, wallMs - offset) === offset;
  return before !== after && !showsIt(before) && showsIt(after) ? wallMs - after : wallMs - before;
}

const DAY_AND_TIME =
  /^(?<day>\d{4}-\d\d-\d\d)(?:[T ](?<minute>\d\d:\d\d)(?::(?<second>\d\d))?(?:(?<utc>Z)|(?<sign>[+-])(?<ahead>\d\d:?\d\d))?)?$/i;

/**
 * The instant that a person means by a day (its midnight) or a time of ISO 8601: `2026-12-24`, `2026-12-24T03:30`,
 * `2026-12-24 03:30:00Z`, `2026-12-24T03:30+01:00`. By the clocks of `timeZone`, unless it says another zone itself. Null
 * for any other form, and for what no calendar or clock shows.
 */
export function parseInstant(text: string, timeZone: string): Date | null {
  const { day, minute = '00:00', second = '00', utc, sign, ahead } = DAY_AND_TIME.exec(text.trim())?.groups ?? {};
  const iso = `${day}T${minute}:${second}.000Z`;
  const wallMs = Date.parse(iso);
  // JavaScript takes 31 February for 3 March, and 24:00 for the day after.
  if (Number.isNaN(wallMs) || new Date(wallMs).toISOString() !== iso) return null;
  if (utc !== undefined) return new Date(wallMs);
  if (ahead === undefined) return new Date(instantOf(timeZone, wallMs));
  const [hours, minutes] = [Number(ahead.slice(0, 2)), Number(ahead.slice(-2))];
  if (hours > 14 || minutes > 59) return null;
  const offset = hours * HOUR_MS + minutes * 60_000;
  return new Date(sign === '-' ? wallMs + offset : wallMs - offset);
}

/** `2026-12-24 03:30`, as the clocks of a zone show it. */
export const wallTimeInWords = (timeZone: string, at: Date): string =>
  new Date(wallTimeAt(timeZone, at.getTime())).toISOString().slice(0, 16).replace('T', ' ');
