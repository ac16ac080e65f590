import { MOST_ENTRIES } from './fleet-entry.ts';

const LONGEST_NAME = 300;
const RANGE = /^\[([0-9]{1,6}|[a-z]):([0-9]{1,6}|[a-z])(?::([0-9]{1,4}))?\]/i;

/** The hosts that a name such as `web[01:20].example.com` stands for; or why it stands for none. */
export function expandRange(pattern: string): string[] | string {
  if (pattern.length > LONGEST_NAME)
    return `${JSON.stringify(pattern.slice(0, 60))}… is longer than any name of a host`;
  const open = pattern.indexOf('[');
  if (open < 0) return [pattern];
  const [whole, from = '', to = '', step = '1'] = RANGE.exec(pattern.slice(open)) ?? [];
  // An IPv6 address in brackets is a name.
  if (whole === undefined) return /^\[[0-9a-f:.]+\]$/i.test(pattern) ? [pattern] : notRange(pattern);
  const steps = between(from, to, Number(step));
  if (steps === null) return notRange(pattern);
  const rest = expandRange(pattern.slice(open + whole.length));
  if (typeof rest === 'string') return rest;
  if (steps.length * rest.length > MOST_ENTRIES)
    return `${JSON.stringify(pattern.slice(0, 60))} stands for more than ${MOST_ENTRIES} hosts`;
  return steps.flatMap((one) => rest.map((end) => pattern.slice(0, open) + one + end));
}

const notRange = (pattern: string): string =>
  `${JSON.stringify(pattern.slice(0, 60))} is no range of hosts; allowed: such as web[01:20] or db[a:c]`;

/** From one to the other, both included; null where there is nothing in between. */
function between(from: string, to: string, step: number): string[] | null {
  const isNumber = /^\d+$/.test(from);
  if (isNumber !== /^\d+$/.test(to) || step < 1) return null;
  const [first, last] = isNumber ? [Number(from), Number(to)] : [from.charCodeAt(0), to.charCodeAt(0)];
  const count = Math.floor((last - first) / step) + 1;
  if (count < 1 || count > MOST_ENTRIES + 1) return null;
  // The first one says how many digits there are.
  const width = isNumber && from.startsWith('0') ? from.length : 0;
  return Array.from({ length: count }, (_, index) => {
    const one = first + index * step;
    return isNumber ? String(one).padStart(width, '0') : String.fromCharCode(one);
  });
}
