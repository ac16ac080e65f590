import { adminWords, fleetWords, hostOf } from './admin-words.ts';
import type { Rendered } from '../channel.ts';
import { customerWords } from './customer-words.ts';
import { layOut, type Letter } from './letter.ts';
import type { DigestItem, MessageFacts, NotificationKind } from '../../facts/message.ts';
import { timeInWords, withCommas } from '../../facts/time-words.ts';

export type Message = {
  readonly kind: NotificationKind | 'digest';
  readonly facts: MessageFacts;
  /** The beginning of what this message ends, where it was never sent: then this one tells both. */
  readonly beginning?: DigestItem | null;
};

type VpsMessage = Extract<MessageFacts, { about: 'vps' }>;

/**
 * The words of a message, as subject, text and HTML. `publicUrl`: where the pages are, without a slash at its end.
 * Throws for facts of another sort than the kind has: a bug of whoever wrote them.
 */
export function render({ kind, facts, beginning = null }: Message, publicUrl: string): Rendered {
  const fleetLink = { label: 'The fleet', url: `${publicUrl}/` };
  switch (kind) {
    case 'digest':
      if (facts.about !== 'digest') break;
      return layOut({ ...digestWords(facts.items), link: fleetLink, writtenAtMs: facts.atMs });
    case 'monitor_fault_began':
    case 'monitor_fault_ended':
      if (facts.about !== 'fleet') break;
      return layOut({ ...fleetWords(kind, facts, beginning === null), link: fleetLink, writtenAtMs: facts.atMs });
    case 'down':
    case 'up':
    case 'recovered':
      if (facts.about !== 'vps') break;
      return layOut({ ...customerWords(kind, facts, beginning), ...frame(facts, publicUrl) });
    case 'circuit_opened':
    case 'circuit_closed':
    case 'circuit_reminder':
    case 'crash_loop':
    case 'kept_alive':
    case 'host_key_changed':
    case 'access_rejected':
    case 'configuration_fault':
      if (facts.about !== 'vps') break;
      return layOut({ ...adminWords(kind, facts, beginning), ...frame(facts, publicUrl) });
  }
  throw new Error(`a message of the kind ${kind} cannot be about ${facts.about}`);
}

/** A message that only shows that it arrives. */
export const renderTest = (atMs: number, publicUrl: string): Rendered =>
  layOut({
    subject: 'Wardround: test message',
    lead: 'This is a test: messages from Wardround reach you here.',
    seen: ['Somebody has sent it with "wardround notify test".'],
    next: ['There is nothing you have to do.'],
    link: { label: 'The pages', url: `${publicUrl}/` },
    writtenAtMs: atMs,
  });

const frame = ({ incident, vps, atMs }: VpsMessage, publicUrl: string): Pick<Letter, 'link' | 'writtenAtMs'> => ({
  link:
    incident === null
      ? { label: 'The server', url: `${publicUrl}/vps/${encodeURIComponent(vps.id)}` }
      : { label: 'The incident', url: `${publicUrl}/incidents/${encodeURIComponent(incident.id)}` },
  writtenAtMs: atMs,
});

const LONGEST_DIGEST = 50;

const TITLES: Record<NotificationKind, string> = {
  monitor_fault_began: 'Fault of the monitor',
  monitor_fault_ended: 'Fault of the monitor is over',
  host_key_changed: 'Host key changed',
  access_rejected: 'Access refused',
  configuration_fault: 'Configuration fault',
  crash_loop: 'Crash loop',
  kept_alive: 'Kept alive by systemd',
  circuit_opened: 'Circuit opened',
  circuit_reminder: 'Circuit still open',
  circuit_closed: 'Circuit closed',
  down: 'Down',
  up: 'Running again',
  recovered: 'Recovered',
};

function digestWords(items: readonly DigestItem[]): Omit<Letter, 'link' | 'writtenAtMs'> {
  let room = LONGEST_DIGEST;
  const groups = (Object.keys(TITLES) as NotificationKind[]).flatMap((kind) => {
    const lines = items.filter((item) => item.kind === kind).map(digestLine);
    const shown = lines.slice(0, room);
    room -= shown.length;
    return lines.length === 0 ? [] : [{ title: `${TITLES[kind]}: ${withCommas(lines.length)}`, lines: shown }];
  });
  const counts = groups.map(({ title }) => title.toLowerCase()).join(', ');
  const times = items.map(({ facts }) => facts.atMs).toSorted((a, b) => a - b);
  const [first = 0, last = 0] = [times.at(0), times.at(-1)];
  const hidden = items.length - (LONGEST_DIGEST - room);
  return {
    subject: `Fleet: ${withCommas(items.length)} messages in one (${counts})`,
    lead: `${withCommas(items.length)} things happened between ${timeInWords(first, last)} and ${timeInWords(last, last)}.`,
    seen: [],
    groups,
    next: [
      hidden > 0
        ? `and ${withCommas(hidden)} more. All of them stand on the fleet page.`
        : 'All of them stand on the fleet page.',
    ],
  };
}

function digestLine({ kind, facts }: DigestItem): string {
  if (facts.about === 'fleet')
    return fleetWords(kind === 'monitor_fault_ended' ? kind : 'monitor_fault_began', facts, true).lead;
  const error = facts.error === null || kind === 'circuit_closed' ? '' : `: ${facts.error}`;
  return `${hostOf(facts.vps)} (${facts.vps.customer})${error}`;
}
