import { cleanRemoteText } from '../../facts/remote-text.ts';
import type { UnitFacts } from '../../facts/unit-state.ts';

/** What `systemctl show` is asked for. */
export const UNIT_PROPERTIES = [
  'LoadState',
  'ActiveState',
  'SubState',
  'Result',
  'ExecMainStatus',
  'NRestarts',
  'InvocationID',
  'TimeoutStartUSec',
  'InactiveExitTimestampMonotonic',
  'StateChangeTimestampMonotonic',
];

/** The seconds since the host was booted, as a line like those of `systemctl show`. Source: proc_uptime(5). */
export const READ_UPTIME = `sed 's/^/Uptime=/;s/ .*//' /proc/uptime`;

const LONGEST_VALUE = 40;

/**
 * What `systemctl show` has printed, with the line of `READ_UPTIME`. Ages are differences of two readings of the clock
 * that counts since boot: neither a wrong clock of the host nor one that is set, as at boot, touches them. Where they make
 * no sense (in some containers the uptime is that of the container, and systemd's times are those of the host), they are
 * not known.
 */
export function readUnitFacts(text: string): UnitFacts {
  const lines = text.split('\n');
  const read = (name: string): string => {
    const line = lines.find((one) => one.startsWith(`${name}=`)) ?? '';
    return cleanRemoteText(line.slice(name.length + 1), LONGEST_VALUE);
  };
  const uptimeMs = countOf(read('Uptime'), 1_000);
  const stateAgeMs = ageOf(countOf(read('StateChangeTimestampMonotonic'), 0.001), uptimeMs);
  const notInactiveMs = ageOf(countOf(read('InactiveExitTimestampMonotonic'), 0.001), uptimeMs);
  const fit = stateAgeMs !== null && notInactiveMs !== null && stateAgeMs <= notInactiveMs;
  return {
    loadState: read('LoadState'),
    subState: read('SubState'),
    result: read('Result'),
    invocationId: read('InvocationID'),
    startTimeoutMs: readTimeout(read('TimeoutStartUSec')),
    stateAgeMs: fit ? stateAgeMs : null,
    notInactiveMs: fit ? notInactiveMs : null,
  };
}

/** The number times `unitMs`; null where it is none, or 0: not since the machine was booted. */
const countOf = (text: string, unitMs: number): number | null =>
  /^\d{1,20}(?:\.\d{1,6})?$/.test(text) && Number(text) > 0 ? Number(text) * unitMs : null;

const ageOf = (atMs: number | null, uptimeMs: number | null): number | null =>
  atMs === null || uptimeMs === null || atMs > uptimeMs ? null : uptimeMs - atMs;

/** Source: systemd.time(7), as `systemctl show` prints spans. A month is a twelfth of a year of 365.25 days. */
const SPANS_MS: Readonly<Record<string, number>> = {
  y: 31_557_600_000,
  month: 2_629_800_000,
  w: 604_800_000,
  d: 86_400_000,
  h: 3_600_000,
  min: 60_000,
  s: 1_000,
  ms: 1,
  us: 0.001,
};

/** `1min 30s`, `1.500s`, `infinity` (also for 0, as systemd has it) in milliseconds; null where it says something else. */
function readTimeout(text: string): number | null {
  if (text === 'infinity' || text === '0') return Infinity;
  let sumMs = 0;
  for (const part of text.split(' ')) {
    const [, number, unit = ''] = /^(\d{1,9}(?:\.\d{1,6})?)([a-z]{1,5})$/.exec(part) ?? [];
    const spanMs = SPANS_MS[unit];
    if (number === undefined || spanMs === undefined) return null;
    sumMs += Number(number) * spanMs;
  }
  return sumMs === 0 ? Infinity : sumMs;
}
