import { fullTime } from '../../facts/time-words.ts';
import type { Trouble } from '../rules/delivery-trouble.ts';

/** What is wrong with a way to send, in a sentence or two. */
export function troubleInWords({ since, refusals, reason, switchedOffAt }: Trouble): string {
  if (switchedOffAt !== null)
    return `Switched off on ${fullTime(switchedOffAt.getTime())}, as it refuses what is sent: ${reason}. When that is mended, turn it on again.`;
  if (refusals > 0)
    return `It has refused ${refusals === 1 ? 'the last message' : `the last ${refusals} messages`} for good: ${reason}.`;
  return `Nothing has got through since ${fullTime(since.getTime())}: ${reason}. What waits is tried again.`;
}
