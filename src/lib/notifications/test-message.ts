import type { App } from '../app.ts';
import type { Actor } from '../auth/actor.ts';
import { write } from '../db/client.ts';
import { newId } from '../db/schema.ts';
import type { Channel, Recipient } from './channel.ts';
import type { SendResult } from '../facts/delivery.ts';
import { CHANNELS } from './channels/registry.ts';
import type { ChannelName } from '../facts/message.ts';
import { noteResult } from './delivery-troubles.ts';
import { findUser } from './preferences.ts';
import { findRecipient } from './recipient.ts';
import { renderTest } from './wording/render.ts';

const TIMEOUT_MS = 10_000;

/**
 * Sends a test message now, past the outbox, the same way as a real one. `to`: the e-mail address of a user, or, by
 * e-mail and for admins, any other address. Refusals and failures come back as an outcome with a reason.
 */
export async function sendTestMessage(
  app: App,
  actor: Actor,
  { to, channel: name }: { readonly to: string; readonly channel: ChannelName },
): Promise<SendResult> {
  const channel: Channel = CHANNELS[name];
  const recipient = recipientOf(app, actor, to, name);
  if ('problem' in recipient) return { outcome: 'rejected', reason: recipient.problem };
  const lacks = channel.lacks(app.settings);
  if (lacks !== null) return { outcome: 'rejected', reason: lacks };
  const line = channel.reach(app, recipient);
  if ('problem' in line) return { outcome: 'rejected', reason: line.problem };
  const rendered = renderTest(Date.now(), app.settings.notifications.publicUrl);
  const result = await line.send(
    { id: newId('message'), kind: 'test', audience: 'admin', thread: null, facts: null, beginning: null, rendered },
    { signal: new AbortController().signal, timeoutMs: TIMEOUT_MS },
  );
  // That it works again is news; that it does not is told to whoever has asked for the test.
  if (result.outcome === 'sent' && recipient.user.id !== NOBODY)
    await write(app.db, (tx) =>
      noteResult(tx, { recipientId: recipient.user.id, channel: name }, result, {
        isShared: channel.isShared,
        now: new Date(),
      }),
    );
  return result;
}

function recipientOf(app: App, actor: Actor, to: string, channel: ChannelName): ReturnType<typeof findRecipient> {
  const user = findUser(app, actor, to);
  if (user) return findRecipient(app.db, user.id, channel, user.role);
  if (channel !== 'email' || actor.role !== 'admin')
    return {
      problem: `there is no user ${JSON.stringify(to)}; allowed for ${channel}: the e-mail address of a user`,
    };
  return { user: stranger(to), target: null, vouched: true };
}

/** Nobody that is known: an address is all there is. */
const stranger = (email: string): Recipient['user'] => ({ id: NOBODY, email });
const NOBODY = 'nobody';
