import { CAUSES } from '../facts/cause.ts';
import type { FleetRow, RestartRow } from './fleet-read.ts';
import { isAhead } from '../facts/clock-jump.ts';
import { relativeTime } from '../facts/time-words.ts';

/** What is asked about first; the others are done at once. */
export const CONFIRMED = ['restart', 'reset', 'maintenance', 'pause', 'repin', 'remove'] as const;
export type Confirmed = (typeof CONFIRMED)[number];

export const confirmedOf = (name: string | null): Confirmed | null =>
  CONFIRMED.find((action) => action === name) ?? null;

/** A question that names the machine and the consequence, and the word on its button. */
export type Question = { readonly title: string; readonly says: readonly string[]; readonly button: string };

type Machine = Pick<
  FleetRow,
  'host' | 'service' | 'customer' | 'consecutiveFailures' | 'hostKeyFingerprint' | 'offeredHostKeyFingerprint'
>;

export function questionOf(action: Confirmed, vps: Machine): Question {
  const { host, service, customer, consecutiveFailures } = vps;
  switch (action) {
    case 'restart':
      return {
        title: `Restart ${service} on ${host}?`,
        says: [
          `Whoever uses ${customer}’s service is cut off until it is back. It is sent whatever the circuit says, and under maintenance too.`,
          'It stands in the restart ledger under your name. If the service does not come back, that counts as a failure.',
        ],
        button: 'Restart now',
      };
    case 'reset':
      return {
        title: `Reset the circuit of ${host}?`,
        says: [
          `The circuit closes, and ${consecutiveFailures === 1 ? 'one failure in a row is' : `${consecutiveFailures} failures in a row are`} forgotten.`,
          `Automatic restarts of ${service} begin again with the next sweep, and refused logins are tried again.`,
        ],
        button: 'Reset the circuit',
      };
    case 'maintenance':
      return {
        title: `Begin maintenance of ${host}?`,
        says: ['It is looked at in every sweep, but neither restarted nor counted, and nobody is told of failures.'],
        button: 'Begin maintenance',
      };
    case 'pause':
      return {
        title: `Pause healing of ${host}?`,
        says: [
          `When ${service} stops, it stays stopped until somebody acts. Checks go on, and failures are told as always.`,
        ],
        button: 'Pause healing',
      };
    case 'repin':
      if (vps.offeredHostKeyFingerprint !== null)
        return {
          title: `Trust the new host key of ${host}?`,
          says: [
            `Pinned: ${vps.hostKeyFingerprint ?? 'none'}`,
            `Shown now: ${vps.offeredHostKeyFingerprint}`,
            CAUSES.host_key_changed.todo,
            'The machine is checked at once; only the key that is shown now is trusted from then on.',
          ],
          button: 'Trust this key',
        };
      return {
        title: `Trust another host key of ${host}?`,
        says: [
          vps.hostKeyFingerprint === null
            ? 'No key is pinned now.'
            : `The pinned key is forgotten: ${vps.hostKeyFingerprint}.`,
          'The machine is asked at once, and the key that it shows at that connection is trusted from then on. Do this only if you know that it was reinstalled: whoever answers at that address is trusted.',
        ],
        button: 'Trust the next key',
      };
    case 'remove':
      return {
        title: `Remove ${host} from the fleet?`,
        says: [
          `${customer}’s VPS is no longer watched. Its state, history and restart ledger are deleted; that cannot be undone.`,
          'The machine itself and the customer’s account stay.',
        ],
        button: 'Remove it',
      };
  }
}

/** What has been done, and what is still to come as long as something is under way. */
const DONE: Readonly<Record<string, string | readonly [string, string]>> = {
  check: ['', 'Check asked for. Its result appears here as soon as it is there.'],
  restart: [
    'The restart that was asked for is over. What became of it is in the restart ledger.',
    'Restart asked for. What became of it appears here and in the restart ledger.',
  ],
  reset: 'The circuit is closed. The next sweep may restart the service again.',
  maintenance: 'Maintenance has begun.',
  endMaintenance:
    'Maintenance has ended. Failures count again. A weekly window, if there is one, opens again at its next time.',
  pause: 'Healing of this VPS is paused. Checks go on.',
  resume: 'Healing is on again.',
  repin: ['The old host key is forgotten.', 'The old host key is forgotten. The machine is checked now.'],
  generated: 'Added as not ready. Put its key there, then try it.',
  edit: ['Saved.', 'Saved. The login is tried now; its result appears here.'],
  same: 'Nothing was changed.',
  added: ['Added.', 'Added. It is checked now; the result appears here.'],
  'added-not-ready': 'Added as not ready: it is not watched until it has passed.',
};

/** What the address of a page says of the action that led to it; empty for anything that is none. */
export function doneInWords(done: string | null, isUnderWay: boolean): string {
  const says = done !== null && Object.hasOwn(DONE, done) ? (DONE[done] ?? '') : '';
  return typeof says === 'string' ? says : says[isUnderWay ? 1 : 0];
}

/** What an admin has set that keeps this VPS from being healed; empty where nothing does. */
export const healingInWords = ({ healingPausedSince }: Pick<FleetRow, 'healingPausedSince'>, now: Date): string =>
  healingPausedSince === null ? '' : `Healing of this VPS is paused since ${relativeTime(healingPausedSince, now)}.`;

const OUTCOMES = { succeeded: 'Worked', failed: 'Failed', not_sent: 'Not sent', unknown: 'Unknown' };
// A restart takes seconds; one without an end after minutes was cut off with the app.
const LOST_AFTER_MS = 15 * 60_000;

type RestartEnd = Pick<RestartRow, 'outcome' | 'intendedAt'>;

/** Whether a restart has been sent and may yet end. */
export const isUnderWay = ({ outcome, intendedAt }: RestartEnd, now: Date): boolean =>
  outcome === null && now.getTime() - intendedAt.getTime() <= LOST_AFTER_MS && !isAhead(intendedAt, now);

/** What became of a restart, as far as the ledger knows. */
export function outcomeInWords(restart: RestartEnd, now: Date): string {
  if (restart.outcome !== null) return OUTCOMES[restart.outcome];
  return isUnderWay(restart, now) ? 'Under way' : 'Never recorded';
}
