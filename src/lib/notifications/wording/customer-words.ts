import type { Letter } from './letter.ts';
import { parseCause, traitsOf } from '../../facts/cause.ts';
import type { CUSTOMER_KINDS, DigestItem, MessageFacts } from '../../facts/message.ts';
import { durationInWords, spanInWords, timeInWords } from '../../facts/time-words.ts';
import { TROUBLE_WORDS, type Trouble } from '../../facts/trouble-words.ts';

type VpsMessage = Extract<MessageFacts, { about: 'vps' }>;
type Words = Pick<Letter, 'subject' | 'lead' | 'seen' | 'next'>;
type CustomerKind = (typeof CUSTOMER_KINDS)[number];

const troubleOf = (stored: string): Trouble => traitsOf(parseCause(stored)).trouble;

/** What the incident began with. */
const firstTrouble = ({ incident }: VpsMessage): Trouble => troubleOf(incident?.cause ?? 'unknown');

/** What is the matter now, which may be something else. */
const troubleNow = (facts: VpsMessage): Trouble =>
  typeof facts.cause === 'string' ? troubleOf(facts.cause) : firstTrouble(facts);

const NEXT_DOWN = 'We keep checking and write to you as soon as it is running again. There is nothing you have to do.';
const NEXT_UP = 'There is nothing you have to do. We keep checking.';
const BOTH = 'We could not send you word when it began, so this message tells you both.';

/**
 * The words for a customer: plain, calm, nothing that a remote host has said. `beginning`: what was to be told when it
 * began and never was.
 */
export function customerWords(kind: CustomerKind, facts: VpsMessage, beginning: DigestItem | null): Words {
  const { host, service } = facts.vps;
  const where = `your server ${host}`;
  const sinceMs = facts.incident?.openedAtMs ?? facts.atMs;
  const span = spanInWords(sinceMs, facts.incident?.endedAtMs ?? facts.atMs);
  switch (kind) {
    case 'down': {
      const trouble = troubleNow(facts);
      const words = TROUBLE_WORDS[trouble];
      const isSoSince = trouble === firstTrouble(facts);
      return {
        subject: words.subject(host),
        lead: `${isSoSince ? words.since(where, timeInWords(sinceMs, facts.atMs)) : words.now(where)}.`,
        seen: [words.note(service)],
        next: [NEXT_DOWN],
      };
    }
    case 'up': {
      const words = TROUBLE_WORDS[beginning?.facts.about === 'vps' ? troubleNow(beginning.facts) : firstTrouble(facts)];
      const subject = words.backSubject(host);
      return beginning === null
        ? { subject, lead: `${words.back(where)}.`, seen: [`${words.over('your server', span)}.`], next: [NEXT_UP] }
        : { subject, lead: `${words.over(where, span)}; it is running now.`, seen: [BOTH], next: [NEXT_UP] };
    }
    case 'recovered':
      return {
        subject: `${host}: the service had stopped and is running again`,
        lead: `The service on ${where} had stopped and was started again automatically.`,
        seen: [`We noticed at ${timeInWords(sinceMs, facts.atMs)}; it was running again ${lateness(facts, sinceMs)}.`],
        next: [NEXT_UP],
      };
  }
}

function lateness(facts: VpsMessage, sinceMs: number): string {
  const durationMs = (facts.incident?.endedAtMs ?? facts.atMs) - sinceMs;
  return durationMs < 1000 ? 'at once' : `${durationInWords(durationMs)} later`;
}
