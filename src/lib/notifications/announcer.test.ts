import { eq } from 'drizzle-orm';
import { expect, it } from 'vitest';
import { openAccountApp } from '../../../tests/support/account-app.ts';
import { addUser, BEGAN_MS, MINUTE_MS, outboxOf, vpsFacts } from '../../../tests/support/outbox.ts';
import type { App } from '../app.ts';
import { LOCAL_OPERATOR } from '../auth/actor.ts';
import { write } from '../db/client.ts';
import { incidents, users } from '../db/schema.ts';
import type { ChannelName, MessageFacts } from '../facts/message.ts';
import { announceIn } from './announcer.ts';
import { changePreference, type PreferenceChange } from './preferences.ts';

async function openFor(email: string) {
  const { app } = await openAccountApp();
  const userId = addUser(app, email);
  const incidentId = 'incident-192.0.2.1';
  const about = { userId, vpsId: 'vps-1', cause: 'timeout', firstError: 'no answer' } as const;
  app.db
    .insert(incidents)
    .values({ id: incidentId, ...about, openedAt: new Date(BEGAN_MS) })
    .run();
  return {
    announce: (kind: 'down' | 'up', minute: number): Promise<number> =>
      write(app.db, (tx) =>
        announceIn(tx, [{ kind, audience: 'customer', occurrence: '' }], {
          userId,
          incident: { id: incidentId },
          facts: vpsFacts('192.0.2.1') as Exclude<MessageFacts, { about: 'digest' }>,
          at: new Date(BEGAN_MS + minute * MINUTE_MS),
        }),
      ),
    set: (channel: ChannelName, change: PreferenceChange) => setChannel(app, userId, channel, change),
    told: () => outboxOf(app).map(({ kind, channel }) => `${kind} by ${channel}`),
  };
}

async function setChannel(app: App, userId: string, channel: ChannelName, change: PreferenceChange): Promise<void> {
  const user = app.db.select().from(users).where(eq(users.id, userId)).get();
  if (!user) throw new Error('no user');
  expect(await changePreference(app, LOCAL_OPERATOR, { user, channel }, change)).not.toHaveProperty('problems');
}
const HOOK = { address: 'https://example.com/hook', secret: 'a secret of enough length' };

it('tells the end of an outage by the ways by which its beginning was told, and by no other', async () => {
  const { announce, set, told } = await openFor('ada@example.test');
  expect(await announce('down', 0)).toBe(1);
  await set('webhook', HOOK);
  expect(await announce('up', 5)).toBe(1);
  expect(told()).toEqual(['down by email', 'up by email']);
});

it('tells nobody that it is over who was not told that it had begun', async () => {
  const { announce, set, told } = await openFor('ada@example.test');
  await set('email', { kinds: 'up,recovered' });
  expect(await announce('down', 0)).toBe(0);
  expect(await announce('up', 5)).toBe(0);
  await set('email', { kinds: 'all' });
  await set('webhook', HOOK);
  expect(await announce('up', 6)).toBe(0);
  expect(told()).toEqual([]);
});
