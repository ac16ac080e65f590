import type { Letter } from './letter.ts';
import type { CUSTOMER_KINDS, MessageFacts } from '../../facts/message.ts';
import { durationInWords, spanInWords, timeInWords } from '../../facts/time-words.ts';

type VpsMessage = Extract<MessageFacts, { about: 'vps' }>;
type Words = Pick<Letter, 'subject' | 'lead' | 'seen' | 'next'>;
type CustomerKind = (typeof CUSTOMER_KINDS)[number];

/**
 * What the trouble looks like to somebody who rents a server. By the cause that the incident began with; whatever is not
 * listed is a check that got no answer, or none that it could use.
 */
const SERVICE_CAUSES: ReadonlySet<string> = new Set([
  'service_not_active',
  'service_in_transition',
  'unit_missing',
  'unit_masked',
  'unit_broken',
  'restart_failed',
  'start_limit',
  'crash_loop',
]);
const isService = ({ incident }: VpsMessage): boolean => incident !== null && SERVICE_CAUSES.has(incident.cause);

const NEXT_DOWN = 'We keep checking and write to you as soon as it is running again. There is nothing you have to do.';
const NEXT_UP = 'There is nothing you have to do. We keep checking.';
const BOTH = 'We could not send you word when it began, so this message tells you both.';

/** The words for a customer: plain, calm, nothing that a remote host has said. `told`: the beginning has been told. */
export function customerWords(kind: CustomerKind, facts: VpsMessage, told: boolean): Words {
  const { host } = facts.vps;
  const sinceMs = facts.incident?.openedAtMs ?? facts.atMs;
  const span = spanInWords(sinceMs, facts.incident?.endedAtMs ?? facts.atMs);
  switch (kind) {
    case 'down':
      return isService(facts)
        ? {
            subject: `${host}: the service is not running`,
            lead: `The service on your server ${host} has not been running since ${timeInWords(sinceMs, facts.atMs)}.`,
            seen: [`The server itself answers, but ${facts.vps.service} is stopped.`],
            next: [NEXT_DOWN],
          }
        : {
            subject: `${host} is unreachable`,
            lead: `Your server ${host} has been unreachable since ${timeInWords(sinceMs, facts.atMs)}.`,
            seen: ['Our checks do not get through to it.'],
            next: [NEXT_DOWN],
          };
    case 'up': {
      const was = isService(facts) ? 'was not running' : 'was unreachable';
      const subject = `${host} is running again`;
      return told
        ? {
            subject,
            lead: `Your server ${host} is running again.`,
            seen: [isService(facts) ? `Its service ${was} ${span}.` : `It ${was} ${span}.`],
            next: [NEXT_UP],
          }
        : {
            subject,
            lead: `${isService(facts) ? 'The service on your' : 'Your'} server ${host} ${was} ${span} and is running again.`,
            seen: [BOTH],
            next: [NEXT_UP],
          };
    }
    case 'recovered':
      return {
        subject: `${host}: the service had stopped and is running again`,
        lead: `The service on your server ${host} had stopped and was started again automatically.`,
        seen: [`We noticed at ${timeInWords(sinceMs, facts.atMs)}; it was running again ${lateness(facts, sinceMs)}.`],
        next: [NEXT_UP],
      };
  }
}

function lateness(facts: VpsMessage, sinceMs: number): string {
  const durationMs = (facts.incident?.endedAtMs ?? facts.atMs) - sinceMs;
  return durationMs < 1000 ? 'at once' : `${durationInWords(durationMs)} later`;
}
