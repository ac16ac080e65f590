import type { lookup as systemLookup } from 'node:dns';
import { eq } from 'drizzle-orm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { changeRole } from '../src/lib/auth/accounts.ts';
import { LOCAL_OPERATOR, type Actor } from '../src/lib/auth/actor.ts';
import { setDisabled } from '../src/lib/auth/users.ts';
import { write } from '../src/lib/db/client.ts';
import { users } from '../src/lib/db/schema.ts';
import { addressOfLink, confirmAddress } from '../src/lib/notifications/address-confirmation.ts';
import { announceIn } from '../src/lib/notifications/announcer.ts';
import { createWebhook } from '../src/lib/notifications/channels/webhook.ts';
import { findRecipient } from '../src/lib/notifications/recipient.ts';
import { changePreference } from '../src/lib/notifications/preferences.ts';
import { parseForm } from '../src/lib/parsing/form.ts';
import { inTerminal } from '../src/lib/parsing/problems.ts';
import { ChannelForm, saveChannel } from '../src/lib/notifications/preferences-form.ts';
import { sendTestMessage } from '../src/lib/notifications/test-message.ts';
import type { Mail } from '../src/lib/mail/smtp.ts';
import { tokenIn } from './support/account-app.ts';
import { startHttpReceiver, type HttpReceiver } from './support/http-receiver.ts';
import { startMailServer, type MailServer } from './support/mail-server.ts';
import { addUser, BEGAN_MS, createTestSender, outboxOf, put, vpsFacts, type TestSender } from './support/outbox.ts';
import { openScratchApp, type ScratchApp } from './support/scratch-app.ts';

const SECRET = 'correct horse battery staple';
const OTHER = 'elsewhere@other.example';
const NOW = new Date();

let mailServer: MailServer;
let receiver: HttpReceiver;
let scratch: ScratchApp;
let test: TestSender;
let admin: string;
let customer: string;
let sent: Mail[];

beforeEach(async () => {
  mailServer = await startMailServer();
  receiver = await startHttpReceiver();
  scratch = await openScratchApp({ SMTP_URL: mailServer.url });
  test = await createTestSender(scratch.app);
  test.clock.nowMs = BEGAN_MS + 30_000;
  admin = addUser(scratch.app, 'root@admin.example', 'admin');
  addUser(scratch.app, 'second@admin.example', 'admin');
  customer = addUser(scratch.app, 'ada@customer.example');
  sent = [];
});
afterEach(async () => {
  scratch.close();
  await mailServer.close();
  await receiver.close();
});

/** The system's resolver, for a name in somebody else's hands. */
const leadsInside = ((_name: string, _options: unknown, callback: (...args: unknown[]) => void) =>
  callback(null, [{ address: '127.0.0.1', family: 4 }])) as unknown as typeof systemLookup;

const userOf = (id: string) => {
  const user = scratch.app.db.select().from(users).where(eq(users.id, id)).get();
  if (!user) throw new Error(`no user ${id}`);
  return user;
};
const actorOf = (id: string): Actor => ({ role: userOf(id).role, userId: id });
const setWebhook = async (by: Actor, userId: string): Promise<void> => {
  const target = { user: userOf(userId), channel: 'webhook' } as const;
  const wanted = { address: `${receiver.url}/hook`, secret: SECRET };
  expect(await changePreference(scratch.app, by, target, wanted)).not.toHaveProperty('problems');
};
/** Saves the page of a user's own channel. */
const saveMail = async (userId: string, address: string): Promise<readonly string[]> => {
  const data = new FormData();
  for (const [name, value] of Object.entries({ enabled: 'on', address })) data.set(name, value);
  for (const kind of ['down', 'up', 'recovered']) data.append('kind', kind);
  const app = { ...scratch.app, sendMail: async (mail: Mail) => void sent.push(mail) };
  const target = { user: userOf(userId), channel: 'email', now: NOW } as const;
  const parsed = parseForm(ChannelForm, data);
  if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join());
  return inTerminal(await saveChannel(app, actorOf(userId), target, parsed.value));
};
const opened = (channel: 'email' | 'webhook' = 'email') =>
  ({ to: admin, kind: 'circuit_opened', facts: vpsFacts('a.example'), atMs: BEGAN_MS, channel }) as const;
const down = (host = 'a.example', channel: 'email' | 'webhook' = 'email') =>
  ({ to: customer, kind: 'down', facts: vpsFacts(host), atMs: BEGAN_MS, channel }) as const;
const recipients = (): string[] => mailServer.mails.flatMap(({ to }) => to);
const outcomes = () => outboxOf(scratch.app).map(({ status, lastError }) => [status, lastError]);

describe('rights at the time of sending', () => {
  it('are none for a disabled account: neither what waits is sent, nor anything new is written', async () => {
    await setWebhook(LOCAL_OPERATOR, admin);
    await put(scratch.app, opened(), opened('webhook'));
    await setDisabled(scratch.app, LOCAL_OPERATOR, admin, true);
    await test.deliver();
    expect(outcomes()).toEqual(Array(2).fill(['failed', 'the account of the recipient is disabled']));
    await write(scratch.app.db, (tx) =>
      announceIn(tx, [{ kind: 'circuit_opened', audience: 'admin', occurrence: 'x' }], {
        userId: customer,
        incident: null,
        facts: vpsFacts('b.example') as Exclude<ReturnType<typeof vpsFacts>, { about: 'digest' }>,
        at: NOW,
      }),
    );
    expect(outboxOf(scratch.app).filter(({ recipientId }) => recipientId === admin)).toHaveLength(2);
    expect(await sendTestMessage(scratch.app, LOCAL_OPERATOR, { to: 'root@admin.example', channel: 'email' })).toEqual({
      outcome: 'rejected',
      reason: 'the account of the recipient is disabled',
    });
    expect([recipients(), receiver.requests]).toEqual([[], []]);

    await setDisabled(scratch.app, LOCAL_OPERATOR, admin, false);
    await put(scratch.app, { ...opened(), facts: vpsFacts('c.example') });
    await test.deliver();
    expect(recipients()).toContain('root@admin.example');
  });

  it('are a customer’s for an admin who is one no more: no mail about the fleet', async () => {
    await put(scratch.app, opened());
    await changeRole(scratch.app, LOCAL_OPERATOR, admin, 'customer');
    await test.deliver();
    expect(outcomes()).toEqual([['failed', 'the recipient is not an admin any more']]);
    expect(recipients()).toEqual([]);
  });

  it('let an inner webhook be called only while an admin answers for it', async () => {
    await setWebhook(actorOf(admin), admin);
    await put(scratch.app, { ...down(), to: admin, channel: 'webhook' });
    await test.deliver();
    expect(receiver.requests).toHaveLength(1);

    await changeRole(scratch.app, LOCAL_OPERATOR, admin, 'customer');
    await put(scratch.app, { ...down('b.example'), to: admin, channel: 'webhook' });
    await test.deliver();
    expect(receiver.requests).toHaveLength(1);
    expect(outcomes()).toContainEqual([
      'failed',
      'the webhook address is for admins only, and no admin answers for it any more',
    ]);

    // What the command line has named, the machine's own operator answers for.
    await setWebhook(LOCAL_OPERATOR, customer);
    await put(scratch.app, down('c.example', 'webhook'));
    await test.deliver();
    expect(receiver.requests).toHaveLength(2);
  });
});

describe('a webhook of a customer', () => {
  it('whose name leads into the network is not called; the judge is asked at the connection', async () => {
    const target = { user: userOf(customer), channel: 'webhook' } as const;
    const wanted = { address: 'https://hook.example/', secret: SECRET };
    expect(await changePreference(scratch.app, actorOf(customer), target, wanted)).not.toHaveProperty('problems');
    const asked: string[] = [];
    const channel = createWebhook(((
      hostname: string,
      ...rest: Parameters<typeof leadsInside> extends [unknown, ...infer Rest] ? Rest : never
    ) => {
      asked.push(hostname);
      leadsInside(hostname, ...rest);
    }) as typeof leadsInside);
    const recipient = findRecipient(scratch.app.db, customer, 'webhook', 'customer');
    if ('problem' in recipient) throw new Error(recipient.problem);
    const line = channel.reach(scratch.app, recipient);
    if ('problem' in line) throw new Error(line.problem);
    const rendered = { subject: '', text: '', html: '' };
    const message = {
      id: 'x',
      kind: 'test',
      audience: 'customer',
      thread: null,
      facts: null,
      beginning: null,
    } as const;
    const attempt = { signal: new AbortController().signal, timeoutMs: 2_000 };
    expect(await line.send({ ...message, rendered }, attempt)).toEqual({
      outcome: 'retry',
      reason: expect.stringContaining('leads to an address that may not be called') as string,
    });
    expect(asked).toEqual(['hook.example']);
  });
});

describe('another mail address of a customer', () => {
  it('gets one question, and no message before whoever reads it has agreed', async () => {
    expect(await saveMail(customer, OTHER)).toEqual([]);
    expect(sent.map(({ to }) => to)).toEqual([OTHER]);
    expect(sent[0]?.text).not.toContain('ada');
    await put(scratch.app, down());
    await test.deliver();
    expect(recipients()).toEqual(['ada@customer.example']);

    // Saving the page again asks nobody a second time.
    expect(await saveMail(customer, OTHER)).toEqual([]);
    expect(sent).toHaveLength(1);
    const token = tokenIn(sent[0]?.text ?? '');
    expect(addressOfLink(scratch.app.db, token, NOW)).toBe(OTHER);
    const both = await Promise.all([1, 2].map(() => confirmAddress(scratch.app, token, NOW)));
    expect(both.toSorted()).toEqual([OTHER, undefined]);
    await put(scratch.app, down('b.example'));
    await test.deliver();
    expect(recipients()).toEqual(['ada@customer.example', OTHER]);
    // It stays agreed when the page is saved again.
    expect(await saveMail(customer, OTHER)).toEqual([]);
    await put(scratch.app, down('c.example'));
    await test.deliver();
    expect(recipients().at(-1)).toBe(OTHER);
    expect(sent).toHaveLength(1);
  });

  it('is not confirmed by a link for another one, an old one, or one that was taken back', async () => {
    await saveMail(customer, OTHER);
    await saveMail(customer, 'third@other.example');
    const [first = '', second = ''] = sent.map(({ text }) => tokenIn(text));
    expect(await confirmAddress(scratch.app, first, NOW)).toBeUndefined();
    expect(await confirmAddress(scratch.app, second, new Date(NOW.getTime() + 25 * 60 * 60_000))).toBeUndefined();
    await saveMail(customer, '');
    expect(await confirmAddress(scratch.app, second, NOW)).toBeUndefined();
    await put(scratch.app, down());
    await test.deliver();
    expect(recipients()).toEqual(['ada@customer.example']);
  });

  it('cannot be asked for without end', async () => {
    const problems = [];
    for (let one = 0; one < 6; one++) problems.push(await saveMail(customer, `victim${one}@other.example`));
    expect(problems.map(({ length }) => length)).toEqual([0, 0, 0, 0, 0, 1]);
    expect(problems[5]?.[0]).toContain('has to wait');
    expect(sent).toHaveLength(5);
  });

  it('needs nobody’s word but an admin’s, as long as that is one', async () => {
    const email = { user: userOf(customer), channel: 'email' } as const;
    await changePreference(scratch.app, actorOf(admin), email, { address: OTHER });
    await put(scratch.app, down());
    await test.deliver();
    await changeRole(scratch.app, LOCAL_OPERATOR, admin, 'customer');
    await put(scratch.app, down('b.example'));
    await test.deliver();
    expect(recipients()).toEqual([OTHER, 'ada@customer.example']);
    // Now it is the customer's to have it confirmed.
    await saveMail(customer, OTHER);
    await confirmAddress(scratch.app, tokenIn(sent[0]?.text ?? ''), NOW);
    await put(scratch.app, down('c.example'));
    await test.deliver();
    expect(recipients().at(-1)).toBe(OTHER);
  });
});
