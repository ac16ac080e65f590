import type { App } from '../app.ts';
import type { Tenure } from '../db/lease.ts';
import { messageOf, type Log } from '../log.ts';
import { CHANNELS, findChannel } from './channels/registry.ts';
import { GIVE_UP_AFTER_MS, planDelivery } from './rules/delivery-plan.ts';
import { type ChannelName, CHANNEL_NAMES } from '../facts/message.ts';
import { record, type Outcome, type Recorded } from './delivery-record.ts';
import { readTrouble } from './trouble-store.ts';
import { applyPlan, claim, type Claimed } from './outbox.ts';
import { countPending, isAnythingDue, listWaiting } from './outbox-read.ts';
import { failOlderThan } from './outbox-upkeep.ts';
import { findRecipient } from './recipient.ts';
import { render } from './wording/render.ts';

export type SenderOptions = {
  /** The right to send, while this process has it. */
  readonly tenure: () => Tenure | null;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  /** How long one wait on another server may take. */
  readonly timeoutMs: number;
  /** How many messages go out at the same time, on each channel: one that hangs does not hold up the others. */
  readonly concurrency: number;
};

export type Sender = {
  /** Looks into the outbox, collapses and digests, and starts sending what is due; not the sending itself is awaited. */
  round(): Promise<void>;
  /** Resolves when nothing is being sent. */
  idle(): Promise<void>;
  /** The messages that are being sent, or whose end has not been written down yet. */
  inFlight(): readonly string[];
  /** Starts nothing more. */
  close(): void;
  /** Gives up what is being sent. */
  abort(): void;
};

type Finished = { readonly claimed: Claimed; readonly outcome: Outcome };

/** Sends what waits: at most one message at a time to one recipient on one channel, oldest first. */
export function createSender({ db, settings, encryptionKey }: App, options: SenderOptions): Sender {
  const { log, nowMs, random, timeoutMs, concurrency, tenure } = options;
  const stop = new AbortController();
  let closed = false;
  const queues = new Map<ChannelName, { id: string; lane: string }[]>();
  /** Message → its lane; one message a lane. */
  const sending = new Map<
    string,
    { readonly channel: ChannelName; readonly lane: string; readonly done: Promise<void> }
  >();
  /** Sent or not, but not written down yet: the disk may be full, and then this is all that is known of it. */
  const unrecorded = new Map<string, Finished>();
  const troubled = new Set<ChannelName>();
  const silent = new Set<ChannelName>();
  const usable = CHANNEL_NAMES.filter((name) => CHANNELS[name].lacks(settings) === null);
  const unusable = CHANNEL_NAMES.filter((name) => !usable.includes(name));

  async function round(): Promise<void> {
    for (const finished of [...unrecorded.values()]) await writeDown(finished);
    await tellWhatIsMissing();
    for (let again = true; again && !closed;) {
      const now = new Date(nowMs());
      if (!isAnythingDue(db, usable, now)) return;
      const waiting = listWaiting(db, usable, now);
      const plan = planDelivery(waiting, now.getTime(), settings.notifications.digest);
      // What is made by that is due itself.
      again = plan.collapse.length + plan.digests.length > 0;
      const mine = tenure();
      if (mine === null) return;
      if (again) await applyPlan(db, mine, plan, now);
      const byId = new Map(waiting.map((row) => [row.id, row]));
      for (const name of usable) queues.set(name, []);
      for (const id of plan.send) {
        const row = byId.get(id);
        if (row) queues.get(row.channel)?.push({ id, lane: `${row.recipientId} ${row.channel}` });
      }
    }
    for (const name of usable) pump(name);
  }

  function pump(channel: ChannelName): void {
    const queue = queues.get(channel) ?? [];
    while (!closed) {
      const active = [...sending.values()].filter((entry) => entry.channel === channel);
      if (active.length >= concurrency) return;
      const at = queue.findIndex(({ lane }) => !active.some((entry) => entry.lane === lane));
      const [next] = at < 0 ? [] : queue.splice(at, 1);
      if (!next) return;
      const done = deliver(next.id)
        .catch((error: unknown) => log.error(`${next.id} could not be handled: ${messageOf(error)}`))
        .finally(() => {
          sending.delete(next.id);
          pump(channel);
        });
      sending.set(next.id, { channel, lane: next.lane, done });
    }
  }

  async function deliver(id: string): Promise<void> {
    if (unrecorded.has(id)) return;
    const mine = tenure();
    const claimed = mine && (await claim(db, mine, id, new Date(nowMs())));
    if (claimed) await writeDown({ claimed, outcome: await attempt(claimed) });
  }

  async function attempt({ row, thread, beginning }: Claimed): Promise<Outcome> {
    const channel = findChannel(row.channel);
    if (!channel) return { outcome: 'failed', reason: `there is no channel ${row.channel}` };
    const trouble = readTrouble(db, { channel: row.channel, userId: row.recipientId });
    if (trouble !== null && trouble.switchedOffAt !== null)
      return { outcome: 'failed', reason: `switched off, since it refuses what is sent: ${trouble.reason}` };
    try {
      const recipient = findRecipient(db, row.recipientId, row.channel, row.audience);
      if ('problem' in recipient) return { outcome: 'failed', reason: recipient.problem };
      const line = channel.reach({ db, settings, encryptionKey }, recipient);
      if ('problem' in line) return { outcome: 'failed', reason: line.problem };
      const { id, kind, audience, facts } = row;
      const rendered = render({ kind, facts, beginning }, settings.notifications.publicUrl);
      const delivery = { id, kind, audience, thread, facts, beginning, rendered };
      return await line.send(delivery, { signal: stop.signal, timeoutMs });
    } catch (error) {
      // A bug, which no repetition mends; the others must get out all the same.
      return { outcome: 'failed', reason: `a bug: ${messageOf(error)}` };
    }
  }

  async function writeDown(finished: Finished): Promise<void> {
    const { row } = finished.claimed;
    unrecorded.set(row.id, finished);
    try {
      const isShared = findChannel(row.channel)?.isShared ?? false;
      const given = { nowMs: nowMs(), random: random(), isShared };
      const recorded = await record(db, finished.claimed, finished.outcome, given);
      unrecorded.delete(row.id);
      tell(finished, recorded);
    } catch (error) {
      log.error(`${row.id}: what became of it could not be written down (${messageOf(error)}); trying again`);
    }
  }

  function tell({ claimed: { row }, outcome }: Finished, { status, switchedOff }: Recorded): void {
    const what = `${row.id} (${row.kind} to ${row.recipientId} by ${row.channel})`;
    if (outcome.outcome === 'sent') {
      if (troubled.delete(row.channel)) log.info(`${row.channel} works again`);
      log.info(`${what} sent`);
    } else if (status === 'failed') log.error(`${what} failed: ${outcome.reason}`);
    else if (!troubled.has(row.channel)) {
      // The first one only: when a server is down, each message would say the same, again and again.
      troubled.add(row.channel);
      log.error(`${what} not sent, to be tried again: ${outcome.reason}`);
    }
    if (switchedOff) log.error(`${row.channel} of ${row.recipientId} is switched off: it refuses what is sent`);
  }

  /** What cannot be sent waits, and one line says why; after three days it is given up. */
  async function tellWhatIsMissing(): Promise<void> {
    for (const name of unusable) {
      if (silent.has(name)) continue;
      const waiting = countPending(db, name);
      if (waiting === 0) continue;
      silent.add(name);
      const lacks = CHANNELS[name].lacks(settings) ?? '';
      log.error(`${lacks}: ${waiting} ${waiting === 1 ? 'message waits' : 'messages wait'}`);
    }
    const lost = await failOlderThan(db, unusable, new Date(nowMs() - GIVE_UP_AFTER_MS));
    if (lost > 0)
      log.error(`${lost} ${lost === 1 ? 'message was' : 'messages were'} given up after three days of waiting`);
  }

  return {
    round,
    idle: async () => {
      while (sending.size > 0) await Promise.all([...sending.values()].map(({ done }) => done));
    },
    inFlight: () => [...sending.keys(), ...unrecorded.keys()],
    close: () => {
      closed = true;
    },
    abort: () => stop.abort(),
  };
}
