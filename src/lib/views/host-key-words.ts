import { fullTime } from '../facts/time-words.ts';
import type { StepOutcome } from '../facts/preflight.ts';
import type { FleetRow } from './fleet-read.ts';

/** What the DNS says of the key that is shown: see provisioning/sshfp.ts. */
export type DnsSays = { readonly says: 'same' | 'other' | 'nothing'; readonly signed: boolean };

/** What is known of the key that a host shows; keys as `nameHostKey` names them. */
export type HostKeySeen = {
  readonly shown: string;
  /** What it has to be; null at a first connection. */
  readonly pinned: string | null;
  readonly dns: DnsSays;
};

const COMPARE = { on: 'vps', text: 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub' } as const;
const WORTH = {
  signed: 'the name server says that DNSSEC proved it, which is worth as much as the way to that server',
  plain: 'without DNSSEC, so whoever can be in between here could have forged it as well',
};

/** What the DNS has to say, and what that is worth; empty where it says nothing. */
export function dnsInWords({ says, signed }: DnsSays): string {
  if (says === 'nothing') return '';
  const worth = signed ? WORTH.signed : WORTH.plain;
  return says === 'same'
    ? `The DNS vouches for it (SSHFP): ${worth}.`
    : `The DNS has another key for it (SSHFP): ${worth}.`;
}

/** What the key that a host shows is worth, and what to do about it. */
export function hostKeyInWords({ shown, pinned, dns }: HostKeySeen): StepOutcome {
  const step = 'host_key';
  const vouched = dnsInWords(dns);
  const says = vouched === '' ? '' : `${vouched} `;
  if (pinned !== null && shown === pinned)
    return { step, verdict: 'passed', saw: `It shows ${shown}, as pinned.`, why: '', command: null };
  if (pinned !== null)
    return {
      step,
      verdict: 'failed',
      saw: `It shows ${shown}, and not the pinned ${pinned}.`,
      why: `${says}It was reinstalled, or someone is in between. Compare the new one with what the machine says on its own console: if they are the same, trust it (wardround vps repin); if not, do not.`,
      command: COMPARE,
    };
  const saw = `It shows ${shown}, for the first time.`;
  if (dns.says === 'other')
    return {
      step,
      verdict: 'failed',
      saw,
      why: `${vouched} Either that record is old or someone is in between. Compare it with what the machine says on its own console, and if they are the same, give it as the host key, or correct the record.`,
      command: COMPARE,
    };
  if (dns.says === 'same' && dns.signed)
    return {
      step,
      verdict: 'passed',
      saw,
      why: `${says}It is pinned: from now on this key, and no other, is trusted.`,
      command: null,
    };
  return {
    step,
    verdict: 'noted',
    saw,
    why: `${says}It is pinned: from now on this key, and no other, is trusted. Whoever is in between now would be trusted as well, so compare it with what the machine says on its own console.`,
    command: COMPARE,
  };
}

type KeyFacts = Pick<
  FleetRow,
  'hostKeyFingerprint' | 'hostKeyAt' | 'hostKeySeenAt' | 'offeredHostKeyFingerprint' | 'offeredHostKeyAt'
>;

/** Both keys of a host that shows another one than is pinned, each with when it was seen; empty where it does not. */
export function changedKeysInWords(vps: KeyFacts): readonly string[] {
  if (vps.offeredHostKeyFingerprint === null) return [];
  const times = [
    vps.hostKeyAt && `since ${fullTime(vps.hostKeyAt.getTime())}`,
    vps.hostKeySeenAt && `last seen ${fullTime(vps.hostKeySeenAt.getTime())}`,
  ].filter(Boolean);
  const pinned = times.length === 0 ? '' : ` (${times.join(', ')})`;
  const shown = vps.offeredHostKeyAt === null ? '' : ` (first seen ${fullTime(vps.offeredHostKeyAt.getTime())})`;
  return [
    `Pinned: ${vps.hostKeyFingerprint ?? 'none'}${pinned}`,
    `Shown now: ${vps.offeredHostKeyFingerprint}${shown}`,
  ];
}

export const WHAT_TO_DO_ABOUT_KEYS = [
  'If you have reinstalled the machine or renewed its keys: compare the new one with what it says on its own console (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), and trust it if they are the same.',
  'If you have not, or they are not the same: trust nothing. Somebody may be in between; until then nothing is sent there.',
] as const;
