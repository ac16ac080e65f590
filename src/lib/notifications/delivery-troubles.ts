import { eq } from 'drizzle-orm';
import type { Transaction } from '../db/client.ts';
import { appendJournal } from '../db/journal-store.ts';
import { users, type NotificationRow } from '../db/schema.ts';
import type { SendResult } from '../facts/delivery.ts';
import type { MonitorFault } from '../facts/message.ts';
import { announceIn } from './announcer.ts';
import { advanceTrouble, isWorthTelling, type Trouble } from './rules/delivery-trouble.ts';
import { isLastWay, switchOff } from './target-store.ts';
import { forgetTrouble, readTrouble, saveTrouble, type Lane } from './trouble-store.ts';

type Sent = Pick<NotificationRow, 'recipientId' | 'channel'>;

/**
 * Takes note of how an attempt came out; `isShared`: all go through the same server, so that a failure is one of the
 * channel. A target that refuses for good is switched off. Admins are told once, by other ways, of a channel that fails and
 * of the target of an admin; who rents a VPS finds what is wrong with the own target on the page of preferences. Returns
 * whether the target was switched off just now.
 */
export function noteResult(
  tx: Transaction,
  { recipientId, channel }: Sent,
  result: SendResult,
  { isShared, now }: { readonly isShared: boolean; readonly now: Date },
): boolean {
  const own: Lane = { channel, userId: recipientId };
  const shared: Lane = { channel, userId: null };
  if (result.outcome === 'sent') {
    for (const lane of isShared ? [own, shared] : [own]) endTrouble(tx, lane, now);
    return false;
  }
  const isOfChannel = isShared && result.outcome === 'retry' && result.ofRecipient !== true;
  const lane = isOfChannel ? shared : own;
  const before = readTrouble(tx, lane);
  const next = advanceTrouble(before, result, { now, mayBeSwitchedOff: !isLastWay(tx, recipientId, channel) });
  const switchedOff = next.switchedOffAt !== null && before?.switchedOffAt == null;
  if (switchedOff) switchOff(tx, recipientId, channel);
  const isTold = isWorthTelling(next, now) && tell(tx, 'monitor_fault_began', lane, { trouble: next, now });
  saveTrouble(tx, lane, { ...next, toldAt: isTold ? now : next.toldAt });
  return switchedOff;
}

function endTrouble(tx: Transaction, lane: Lane, now: Date): void {
  const trouble = readTrouble(tx, lane);
  // What is switched off gets tests only, and stays so until its owner turns it on.
  if (trouble === null || trouble.switchedOffAt !== null) return;
  forgetTrouble(tx, lane);
  if (trouble.toldAt !== null) tell(tx, 'monitor_fault_ended', lane, { trouble, now });
}

/** Tells the admins, by every way but the one that is in trouble. False: this is not for them, or there is no other way. */
function tell(
  tx: Transaction,
  kind: 'monitor_fault_began' | 'monitor_fault_ended',
  { channel, userId }: Lane,
  { trouble, now }: { readonly trouble: Trouble; readonly now: Date },
): boolean {
  const owner = userId === null ? null : tx.select().from(users).where(eq(users.id, userId)).get();
  if (owner?.role === 'customer') return false;
  const { since, reason, switchedOffAt } = trouble;
  const fault: MonitorFault = {
    kind: 'delivery',
    channel,
    target: owner?.email ?? null,
    reason,
    switchedOff: switchedOffAt !== null,
  };
  const told = announceIn(tx, [{ kind, audience: 'admin', occurrence: `${channel}-${userId}-${since.getTime()}` }], {
    userId: null,
    incident: null,
    facts: { about: 'fleet', atMs: now.getTime(), beganAtMs: since.getTime(), fault },
    at: now,
    except: { channel, recipientId: userId },
  });
  if (told === 0) return false;
  const { kind: name, ...detail } = fault;
  const entry = { at: now, kind, userId: null, vpsId: null, incidentId: null, actor: 'monitor' };
  appendJournal(tx, [{ ...entry, detail: { fault: name, ...detail } }]);
  return true;
}
