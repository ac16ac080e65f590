import type { Database } from '../db/client.ts';
import type { notificationTargets, users } from '../db/schema.ts';
import type { Settings } from '../config.ts';
import type { Attempt, SendResult } from '../facts/delivery.ts';
import type { DigestItem, MessageFacts, NotificationKind } from '../facts/message.ts';

/** A message in words; both forms say the same. */
export type Rendered = { readonly subject: string; readonly text: string; readonly html: string };

/** One message on its way. Whatever is sent again is sent with the same `id`. */
export type Delivery = {
  /** The row of the outbox: what a recipient can tell a repetition by. */
  readonly id: string;
  readonly kind: NotificationKind | 'digest' | 'test';
  readonly audience: 'customer' | 'admin';
  /** What belongs together: the incident, or the fault of the monitor. Null for a digest and a test. */
  readonly thread: string | null;
  readonly facts: MessageFacts | null;
  /** An ending that is told together with its beginning, as that was never sent. */
  readonly beginning: DigestItem | null;
  readonly rendered: Rendered;
};

/** What a channel may use; an `App` is one. */
export type ChannelContext = { readonly settings: Settings; readonly db: Database; readonly encryptionKey: Buffer };

/** For whom: the user, and what the user has set for this channel, if anything. */
export type Recipient = {
  readonly user: Pick<typeof users.$inferSelect, 'id' | 'email'>;
  readonly target: typeof notificationTargets.$inferSelect | null;
  /** Whether an admin, one at this moment, has named the address of `target`. */
  readonly vouched: boolean;
};

/** The way to one recipient, or why there is none; `problem` is for admins and holds no secret. */
export type Line =
  { readonly send: (delivery: Delivery, attempt: Attempt) => Promise<SendResult> } | { readonly problem: string };

/**
 * A way to tell somebody something. `send` gives an outcome for everything that the other side or the network may do,
 * and throws for bugs only. Reasons are clean text without secrets: they are stored and shown to admins.
 */
export type Channel = {
  /** Whether all messages go through one server of ours, so that a failure there is one of the channel. */
  readonly isShared: boolean;
  /** The setting without which nothing can be sent, as `no SMTP_URL is set`; null when there is none missing. */
  readonly lacks: (settings: Settings) => string | null;
  /** What an address of this channel looks like, for people who gave another one. */
  readonly addressHint: string;
  readonly isAddress: (text: string) => boolean;
  /** The way to that recipient, found at the time of sending: an address may have changed since the message was written. */
  readonly reach: (context: ChannelContext, recipient: Recipient) => Line;
};
