import {
  weeklyInWords,
  type FieldChange,
  type FleetChange,
  type FleetPlan,
  type PlannedWindow,
} from '../facts/fleet-change.ts';
import { count } from '../facts/time-words.ts';
import { wallTimeInWords } from '../facts/wall-clock.ts';

const SIGNS: Readonly<Record<FleetChange['kind'], '+' | '~' | '-'>> = {
  add_customer: '+',
  rename_customer: '~',
  add_vps: '+',
  change_vps: '~',
  remove_vps: '-',
  remove_labels: '-',
  add_window: '+',
  remove_window: '-',
  set_route: '~',
  remove_route: '-',
};

/** One change as a person reads it: `~ 203.0.113.7 (anna@example.com): user root → deploy`. */
export function changeInWords(change: FleetChange): string {
  const sign = SIGNS[change.kind];
  switch (change.kind) {
    case 'add_customer':
      return `${sign} customer ${change.email}${change.name === null ? '' : `, ${change.name}`}`;
    case 'rename_customer':
      return `${sign} customer ${change.email}: ${fieldsInWords(change.fields)}`;
    case 'add_vps':
      return `${sign} VPS ${change.host} (${change.email}): ${change.fields
        .filter(({ field, to }) => field !== 'host' && to !== null)
        .map(({ field, to }) => `${field} ${to}`)
        .join(', ')}`;
    case 'change_vps':
      return `${sign} VPS ${change.host} (${change.email}): ${fieldsInWords(change.fields)}`;
    case 'remove_vps':
      return `${sign} VPS ${change.host} (${change.email}), with its state`;
    case 'remove_labels':
      return `${sign} labels of ${change.host} (${change.email}): ${change.labels.join(', ')}`;
    case 'add_window':
    case 'remove_window':
      return `${sign} maintenance of ${change.host} (${change.email}): ${windowInWords(change.window)}`;
    case 'set_route':
      return `${sign} ${change.channel} to ${change.email}: ${fieldsInWords(change.fields)}`;
    case 'remove_route':
      return `${sign} ${change.channel} to ${change.email}, with its secret`;
  }
}

const fieldsInWords = (fields: readonly FieldChange[]): string =>
  fields
    .map(({ field, from, to }) =>
      field === 'key' ? `another key (${to})` : `${field} ${from ?? 'none'} → ${to ?? 'none'}`,
    )
    .join(', ');

function windowInWords(window: PlannedWindow): string {
  const reason = window.reason === null ? '' : ` (${window.reason})`;
  return window.kind === 'weekly'
    ? `every ${weeklyInWords(window)} ${window.timeZone} for ${window.durationMinutes} min${reason}`
    : `from ${wallTimeInWords('UTC', window.startsAt)} to ${wallTimeInWords('UTC', window.endsAt)} UTC${reason}`;
}

/** `2 to add, 1 to change, 1 to remove.` */
export function planInWords({ changes }: FleetPlan): string {
  const of = (sign: string): number => changes.filter(({ kind }) => SIGNS[kind] === sign).length;
  const parts = [
    [of('+'), 'to add'],
    [of('~'), 'to change'],
    [of('-'), 'to remove'],
  ] as const;
  const said = parts.filter(([number]) => number > 0).map(([number, words]) => `${number} ${words}`);
  return said.length === 0 ? 'The fleet is what the file says: nothing to change.' : `${said.join(', ')}.`;
}

/** What stays although the file does not name it, in one line; empty where nothing does. */
export const keptInWords = ({ kept }: FleetPlan): string =>
  kept.length === 0
    ? ''
    : `${count(kept.length, 'thing stays', 'things stay')} that the file does not name (--prune removes them):`;
