import { count } from '../facts/time-words.ts';

/** What can be done to many VPSs at once, as on its button. */
export const BULK_WORDS = {
  check: 'Check now',
  reset: 'Reset circuit',
  maintenance: 'Begin maintenance',
  endMaintenance: 'End maintenance',
  pause: 'Pause healing',
  resume: 'Resume healing',
} as const;
export type BulkAction = keyof typeof BULK_WORDS;
export const BULK_ACTIONS = Object.keys(BULK_WORDS) as BulkAction[];

/** How long maintenance may be that is begun on a page, as it is said there; `until` asks for a time. */
export const MAINTENANCE_LENGTHS = {
  '1h': 'for 1 hour',
  '4h': 'for 4 hours',
  '1d': 'for 1 day',
  healthy: 'until the next healthy check',
  open: 'until somebody ends it',
} as const;
export type MaintenanceLength = keyof typeof MAINTENANCE_LENGTHS;
export const LENGTHS = Object.keys(MAINTENANCE_LENGTHS) as MaintenanceLength[];

export type BulkResult =
  | {
      readonly kind: 'done';
      readonly action: BulkAction;
      readonly length: MaintenanceLength;
      readonly asked: number;
      readonly done: number;
    }
  | { readonly kind: 'refused'; readonly action: BulkAction; readonly reason: string };

const DONE: Readonly<Record<BulkAction, (vpss: string, length: MaintenanceLength) => string>> = {
  check: (vpss) => `${vpss} will be checked now; the rows turn as it is done.`,
  reset: (vpss) => `The circuit of ${vpss} is reset.`,
  maintenance: (vpss, length) => `Maintenance of ${vpss} has begun, ${MAINTENANCE_LENGTHS[length]}.`,
  endMaintenance: (vpss) => `Maintenance of ${vpss} has ended; weekly windows open again at their next time.`,
  pause: (vpss) => `Healing of ${vpss} pauses: what stops there stays stopped until somebody acts.`,
  resume: (vpss) => `Healing of ${vpss} goes on.`,
};
const LEFT_OUT: Readonly<Record<BulkAction, string>> = {
  check: 'not watched',
  reset: 'no longer in the fleet',
  maintenance: 'no longer in the fleet',
  endMaintenance: 'no longer in the fleet',
  pause: 'paused already, or no longer in the fleet',
  resume: 'not paused, or no longer in the fleet',
};

const vpss = (number: number): string => count(number, 'VPS', 'VPSs');

/** How many were done, how many were not, and why. */
export function bulkInWords(result: BulkResult): string {
  if (result.kind === 'refused') return `${BULK_WORDS[result.action]}: not done, ${result.reason}.`;
  const { action, length, asked, done } = result;
  const left = asked - done;
  const rest = left === 0 ? '' : `${vpss(left)} left out: ${LEFT_OUT[action]}.`;
  return done === 0 ? `Nothing to do. ${rest}` : [DONE[action](vpss(done), length), rest].filter(Boolean).join(' ');
}
