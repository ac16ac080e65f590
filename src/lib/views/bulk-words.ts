import { count } from '../facts/time-words.ts';

/** What can be done to many VPSs at once, as on its button. */
export const BULK_WORDS = {
  check: 'Check now',
  reset: 'Reset circuit',
  maintenance: 'Maintenance, 1 h',
  endMaintenance: 'End maintenance',
  pause: 'Pause healing',
  resume: 'Resume healing',
} as const;
export type BulkAction = keyof typeof BULK_WORDS;
export const BULK_ACTIONS = Object.keys(BULK_WORDS) as BulkAction[];

export type BulkResult =
  | { readonly kind: 'done'; readonly action: BulkAction; readonly asked: number; readonly done: number }
  | { readonly kind: 'refused'; readonly action: BulkAction; readonly reason: string };

const DONE: Readonly<Record<BulkAction, (vpss: string) => string>> = {
  check: (vpss) => `${vpss} will be checked now; the rows turn as it is done.`,
  reset: (vpss) => `The circuit of ${vpss} is reset.`,
  maintenance: (vpss) => `Maintenance of ${vpss} has begun, for one hour.`,
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
  const { action, asked, done } = result;
  const left = asked - done;
  const rest = left === 0 ? '' : `${vpss(left)} left out: ${LEFT_OUT[action]}.`;
  return done === 0 ? `Nothing to do. ${rest}` : [DONE[action](vpss(done)), rest].filter(Boolean).join(' ');
}
