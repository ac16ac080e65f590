import { shortAddress } from '../facts/host-words.ts';
import type { SameMachine } from './same-machine-read.ts';

/** What an admin should know of VPSs with one host key; empty where there is nothing to know. */
export function sameMachineInWords(others: readonly SameMachine[]): string {
  if (others.length === 0) return '';
  const named = others.map(({ host, port, customer }) => `${shortAddress(host, port)} (${customer})`).join(', ');
  return (
    `The host key is also that of ${named}. If that is the same machine under another name or port, it is checked and ` +
    'restarted twice: remove one of them. If it is a copy of the same image, give each machine host keys of its own ' +
    '(ssh-keygen -A, after the old ones are deleted), and pin them anew.'
  );
}
