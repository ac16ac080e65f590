import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { eq } from 'drizzle-orm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { parseSettings } from '../src/lib/config.ts';
import { notificationTargets, telegramBots, users } from '../src/lib/db/schema.ts';
import { signature } from '../src/lib/notifications/channels/webhook.ts';
import { createHeartbeat } from '../src/lib/notifications/heartbeat.ts';
import { changePreference } from '../src/lib/notifications/preferences.ts';
import { startHttpReceiver, type HttpReceiver } from './support/http-receiver.ts';
import { startMailServer } from './support/mail-server.ts';
import { addUser, BEGAN_MS, createTestSender, outboxOf, put, vpsFacts, type TestSender } from './support/outbox.ts';
import { createSilentLog, openScratchApp, type ScratchApp } from './support/scratch-app.ts';

const SECRET = 'correct horse battery staple';
const TOKEN = '123456:AAtokenAAtokenAAtokenAA';

let receiver: HttpReceiver;
let scratch: ScratchApp;
let test: TestSender;
let admin: string;

beforeEach(async () => {
  receiver = await startHttpReceiver();
  scratch = await openScratchApp({ TELEGRAM_API_URL: `${receiver.url}/` });
  test = await createTestSender(scratch.app, { timeoutMs: 500 });
  admin = addUser(scratch.app, 'root@admin.example', 'admin');
});
afterEach(async () => {
  scratch.close();
  await receiver.close();
});

const userOf = (id: string) => {
  const user = scratch.app.db.select().from(users).where(eq(users.id, id)).get();
  if (!user) throw new Error(`no user ${id}`);
  return user;
};
const setWebhook = async (userId: string, address = `${receiver.url}/hook?x=1`): Promise<void> => {
  const target = { user: userOf(userId), channel: 'webhook' } as const;
  const result = await changePreference(scratch.app, LOCAL_OPERATOR, target, { address, secret: SECRET });
  expect(result).not.toHaveProperty('problems');
};
/** The first message that was put there: what a failure makes us tell comes after it. */
const row = () => outboxOf(scratch.app).find(({ kind }) => kind !== 'monitor_fault_began');

describe('a webhook', () => {
  const opened = () =>
    ({ to: admin, kind: 'circuit_opened', facts: vpsFacts('a.example'), atMs: BEGAN_MS, channel: 'webhook' }) as const;
  beforeEach(() => {
    test.clock.nowMs = BEGAN_MS + 30_000;
  });

  it('is a signed POST of JSON, whose signature anybody with the secret can check', async () => {
    await setWebhook(admin);
    await put(scratch.app, opened());
    await test.deliver();
    const [request] = receiver.requests;
    expect(request).toMatchObject({ method: 'POST', path: '/hook?x=1' });
    const { headers, body = '' } = request ?? {};
    const timestamp = String(headers?.['wardround-timestamp']);
    expect(Math.abs(Number(timestamp) - Date.now() / 1000)).toBeLessThan(60);
    expect(headers?.['wardround-signature']).toBe(
      `v1=${createHmac('sha256', SECRET).update(`${timestamp}.${body}`).digest('hex')}`,
    );
    expect(headers?.['content-type']).toBe('application/json');
    expect(headers?.['wardround-delivery']).toBe(row()?.id);
    expect(JSON.parse(body)).toMatchObject({
      id: row()?.id,
      kind: 'circuit_opened',
      subject: 'a.example: circuit opened',
      facts: { about: 'vps', vps: { host: 'a.example' }, error: 'no answer within 10 s (connect)' },
      beginning: null,
    });
    expect(row()).toMatchObject({ status: 'sent' });
    const stored = scratch.app.db.select().from(notificationTargets).get()?.secret;
    expect(stored).toMatch(/^v1\./);
  });

  it('has the signature of the documented example', () => {
    expect(signature('example-secret-16', 1_700_000_000, '{"id":"message-1"}')).toBe(
      `v1=${createHmac('sha256', 'example-secret-16').update('1700000000.{"id":"message-1"}').digest('hex')}`,
    );
  });

  it('for a customer holds nothing that a host has said', async () => {
    const customer = addUser(scratch.app, 'ada@customer.example');
    await setWebhook(customer);
    await put(scratch.app, { ...opened(), to: customer, kind: 'down' });
    await test.deliver();
    expect(receiver.requests[0]?.body).not.toContain('no answer within');
  });

  it.each([200, 201, 204])('is sent with status %i', async (status) => {
    receiver.answer((response) => response.writeHead(status).end('thanks'));
    await setWebhook(admin);
    await put(scratch.app, opened());
    await test.deliver();
    expect(row()).toMatchObject({ status: 'sent' });
  });

  it.each([408, 425, 429, 500, 502, 503, 599])('is tried again after status %i', async (status) => {
    receiver.answer((response) => response.writeHead(status).end('<b>secret remote text</b>'));
    await setWebhook(admin);
    await put(scratch.app, opened());
    await test.deliver();
    expect(row()).toMatchObject({
      status: 'pending',
      attempts: 1,
      lastError: `the webhook answered with status ${status}`,
    });
    receiver.answer((response) => response.writeHead(204).end());
    test.clock.nowMs += 60_000;
    await test.deliver();
    expect(new Set(receiver.requests.map(({ headers }) => headers['wardround-delivery'])).size).toBe(1);
    expect(row()).toMatchObject({ status: 'sent', attempts: 2 });
  });

  it.each([400, 401, 403, 404, 410, 422])('is refused for good with status %i', async (status) => {
    receiver.answer((response) => response.writeHead(status).end());
    await setWebhook(admin);
    await put(scratch.app, opened());
    await test.deliver();
    expect(row()).toMatchObject({ status: 'failed', attempts: 1 });
  });

  it('follows no redirect', async () => {
    receiver.answer((response) => response.writeHead(302, { location: `${receiver.url}/elsewhere` }).end());
    await setWebhook(admin);
    await put(scratch.app, opened());
    await test.deliver();
    expect(receiver.requests).toHaveLength(1);
    expect(row()).toMatchObject({ status: 'failed', lastError: 'the webhook answered with status 302' });
  });

  it('waits as long as the other side asks', async () => {
    receiver.answer((response) => response.writeHead(503, { 'retry-after': '600' }).end());
    await setWebhook(admin);
    await put(scratch.app, opened());
    await test.deliver();
    expect(row()?.nextAttemptAt).toEqual(new Date(BEGAN_MS + 30_000 + 600_000));
  });

  it('that hangs ends after its timeout, and may have arrived', async () => {
    receiver.answer(() => undefined);
    await setWebhook(admin);
    await put(scratch.app, opened());
    await test.deliver();
    expect(row()).toMatchObject({
      status: 'pending',
      mayHaveArrived: true,
      lastError: 'the webhook: no answer within 0.5 s',
    });
  });

  it('that answers without end is cut off after its status', async () => {
    receiver.answer((response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    });
    await setWebhook(admin);
    await put(scratch.app, opened());
    await test.deliver();
    expect(row()).toMatchObject({ status: 'sent' });
  });

  it('nobody listens to is tried again', async () => {
    await setWebhook(admin, 'http://127.0.0.1:9/');
    await put(scratch.app, opened());
    await test.deliver();
    expect(row()).toMatchObject({
      status: 'pending',
      mayHaveArrived: false,
      lastError: 'the webhook: connection refused',
    });
  });

  it.each([
    ['trusts no certificate of', { secure: true }, /^the webhook: the connection failed \(.*CERT/],
    ['speaks no TLS with', {}, /^the webhook: the connection failed/],
  ])('that %s whoever listens there has surely not taken it', async (_, options, reason) => {
    const peer = await startMailServer(options);
    await setWebhook(admin, `https://127.0.0.1:${peer.port}/`);
    await put(scratch.app, opened());
    await test.deliver();
    await peer.close();
    expect(row()).toMatchObject({
      status: 'pending',
      mayHaveArrived: false,
      lastError: expect.stringMatching(reason),
    });
  });

  it('that hangs up after the request may have taken it', async () => {
    receiver.answer((response) => response.destroy());
    await setWebhook(admin);
    await put(scratch.app, opened());
    await test.deliver();
    expect(row()).toMatchObject({ status: 'pending', mayHaveArrived: true });
  });

  it('without an address, or with the secret of another user, fails and says why', async () => {
    await put(scratch.app, opened());
    await test.deliver();
    expect(row()).toMatchObject({ status: 'failed', lastError: 'no webhook address is set for this user' });
    const other = addUser(scratch.app, 'other@admin.example', 'admin');
    await setWebhook(other);
    scratch.app.db.update(notificationTargets).set({ userId: admin }).run();
    await put(scratch.app, { ...opened(), facts: vpsFacts('b.example') });
    await test.deliver();
    expect(outboxOf(scratch.app).map(({ lastError }) => lastError)).toContain(
      'the stored secret of the webhook does not open with the key in use',
    );
    expect(receiver.requests).toEqual([]);
  });
});

describe('Telegram', () => {
  const recovered = () =>
    ({ to: admin, kind: 'down', facts: vpsFacts('a.example'), atMs: BEGAN_MS, channel: 'telegram' }) as const;
  beforeEach(async () => {
    const target = { user: userOf(admin), channel: 'telegram' } as const;
    const change = { enabled: true, bot: { token: TOKEN, chatId: '4711' } };
    expect(await changePreference(scratch.app, LOCAL_OPERATOR, target, change)).toMatchObject({ enabled: true });
  });

  it("gets the text from the user's own bot, whose token is stored encrypted", async () => {
    receiver.answer((response) => response.end('{"ok":true}'));
    await put(scratch.app, recovered());
    await test.deliver();
    const [request] = receiver.requests;
    expect(request).toMatchObject({ method: 'POST', path: `/bot${TOKEN}/sendMessage` });
    expect(JSON.parse(request?.body ?? '')).toMatchObject({
      chat_id: '4711',
      text: expect.stringContaining('Your server a.example has not answered'),
    });
    expect(row()).toMatchObject({ status: 'sent' });
    expect(scratch.app.db.select().from(telegramBots).get()?.botToken).toMatch(/^v1\./);
  });

  it('gets no more than 4096 units of a long text, and no half of a character', async () => {
    receiver.answer((response) => response.end('{"ok":true}'));
    for (let n = 0; n < 50; n++) {
      const facts = vpsFacts(`vps-${n}.example`);
      const customer = '😀'.repeat(40 + (n % 7));
      if (facts.about !== 'vps') throw new Error(facts.about);
      await put(scratch.app, {
        ...recovered(),
        kind: 'circuit_opened',
        facts: { ...facts, vps: { ...facts.vps, customer } },
      });
    }
    test.clock.nowMs += 60_000;
    await test.deliver();
    const { text } = JSON.parse(receiver.requests[0]?.body ?? '') as { text: string };
    expect(text).toMatch(/50 things happened.*…$/s);
    expect(text.length).toBeGreaterThan(4090);
    expect(text.length).toBeLessThanOrEqual(4096);
    expect(text.isWellFormed()).toBe(true);
  });

  it('is waited for as long as it asks', async () => {
    receiver.answer((response) =>
      response.writeHead(429).end('{"ok":false,"description":"Too Many Requests","parameters":{"retry_after":90}}'),
    );
    await put(scratch.app, recovered());
    await test.deliver();
    expect(row()).toMatchObject({
      status: 'pending',
      nextAttemptAt: new Date(BEGAN_MS + 90_000),
      lastError: 'Telegram answered with status 429: Too Many Requests',
    });
  });

  it.each(['bot', 'preference'] as const)(
    'follows a group that has become a supergroup, and stores its new id with the %s',
    async (holder) => {
      if (holder === 'preference')
        await changePreference(
          scratch.app,
          LOCAL_OPERATOR,
          { user: userOf(admin), channel: 'telegram' },
          { address: '-42' },
        );
      const from = holder === 'bot' ? '4711' : '-42';
      receiver.answer((response, { body }) =>
        (JSON.parse(body) as { chat_id: string }).chat_id === from
          ? response
              .writeHead(400)
              .end(
                '{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1001234567890}}',
              )
          : response.end('{"ok":true}'),
      );
      await put(scratch.app, recovered());
      await test.deliver();
      expect(row()).toMatchObject({ status: 'sent', attempts: 1 });
      const chats = () => receiver.requests.map(({ body }) => (JSON.parse(body) as { chat_id: string }).chat_id);
      expect(chats()).toEqual([from, '-1001234567890']);
      await put(scratch.app, { ...recovered(), facts: vpsFacts('b.example') });
      await test.deliver();
      expect(chats().slice(2)).toEqual(['-1001234567890']);
      expect(scratch.app.db.select().from(telegramBots).get()?.chatId).toBe(
        holder === 'bot' ? '-1001234567890' : '4711',
      );
    },
  );

  it('follows a chat once, and nowhere but to a chat', async () => {
    for (const moved of ['-1001', '"@elsewhere"', '1e300']) {
      receiver.answer((response) => response.writeHead(400).end(`{"parameters":{"migrate_to_chat_id":${moved}}}`));
      await put(scratch.app, { ...recovered(), facts: vpsFacts(`${moved}.example`) });
      await test.deliver();
    }
    // The first answer sends it on, to an answer that says the same.
    expect(receiver.requests).toHaveLength(2 + 1 + 1);
    const sent = outboxOf(scratch.app).filter(({ channel }) => channel === 'telegram');
    expect(sent.map(({ status }) => status)).toEqual(['failed', 'failed', 'failed']);
  });

  it('never makes its token known, whatever it answers', async () => {
    receiver.answer((response, { path }) =>
      response
        .writeHead(403)
        .end(JSON.stringify({ ok: false, description: `Forbidden: ${'x'.repeat(60)} ${TOKEN} ${path}` })),
    );
    await put(scratch.app, recovered());
    await test.deliver();
    expect(row()).toMatchObject({ status: 'failed', lastError: expect.stringContaining('status 403: Forbidden') });
    expect([row()?.lastError, ...test.lines].join('\n')).not.toMatch(/AAtoken/);
  });

  it('without a bot fails and says why', async () => {
    scratch.app.db.delete(telegramBots).run();
    await put(scratch.app, recovered());
    await test.deliver();
    expect(row()).toMatchObject({ status: 'failed', lastError: 'no Telegram bot is set for this user' });
  });
});

describe('the heartbeat', () => {
  it('is a GET, says once that it fails and once that it works again, and never throws', async () => {
    const settings = parseSettings({ HEARTBEAT_URL: `${receiver.url}/ping/some-id` });
    const log = createSilentLog();
    const beat = createHeartbeat(settings, log);
    await beat();
    expect(receiver.requests[0]).toMatchObject({ method: 'GET', path: '/ping/some-id' });
    receiver.answer((response) => response.writeHead(500).end());
    await beat();
    await beat();
    receiver.answer(() => undefined);
    await beat(100);
    receiver.answer((response) => response.writeHead(200).end('OK'));
    await beat();
    await beat();
    expect(log.lines).toEqual([
      'the heartbeat does not get through: HEARTBEAT_URL answered with status 500',
      'the heartbeat gets through again',
    ]);
  });

  it('is not sent anywhere without a setting', async () => {
    await createHeartbeat(parseSettings({}), createSilentLog())();
    expect(receiver.requests).toEqual([]);
  });

  it('ends when whoever takes the connection says nothing at all', async () => {
    const mute: Server = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const log = createSilentLog();
    const url = `http://127.0.0.1:${(mute.address() as AddressInfo).port}/secret-id`;
    await createHeartbeat(parseSettings({ HEARTBEAT_URL: url }), log)(100);
    expect(log.lines.join()).toContain('no answer within 0.1 s');
    expect(log.lines.join()).not.toContain('secret-id');
    mute.close();
  });
});
