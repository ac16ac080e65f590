import { partOf, type App } from '../app.ts';
import type { Actor } from '../auth/actor.ts';
import { messageOf } from '../log.ts';
import type { SendResult } from '../facts/delivery.ts';
import type { ChannelName } from '../facts/message.ts';
import { sendTestMessage } from './test-message.ts';

/** A test message that was asked for; `result` null: on its way. */
export type TestRun = { readonly at: Date; readonly to: string; readonly result: SendResult | null };

// In memory only: after a restart nobody waits for it any more.
const runsOf = (app: App) => partOf(app, 'test runs', () => new Map<ChannelName, TestRun>());

/** Sends a test message in the background: another server may take its time, and no page waits for it. For admins. */
export function startTest(app: App, actor: Actor, channel: ChannelName, to: string, at: Date): void {
  const keep = (result: SendResult | null): unknown => runsOf(app).set(channel, { at, to, result });
  keep(null);
  void sendTestMessage(app, actor, { to, channel }).then(keep, (error: unknown) =>
    keep({ outcome: 'rejected', reason: `a bug: ${messageOf(error)}` }),
  );
}

/** The last test of this channel since the start of this process. */
export const lastTest = (app: App, channel: ChannelName): TestRun | null => runsOf(app).get(channel) ?? null;
