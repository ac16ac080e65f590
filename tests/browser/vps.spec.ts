import { expect, type BrowserContext, type Page } from '@playwright/test';
import { eq } from 'drizzle-orm';
import { seedHistory } from '../../demo/seed-history.ts';
import { openApp } from '../../src/lib/app.ts';
import { incidents, subscriptions } from '../../src/lib/db/schema.ts';
import { acceptInvitation, ADMIN, cookiesOf, createAdmin, signIn } from '../support/accounts.ts';
import { test } from '../support/browser.ts';
import { addAll, makeLogin, startVps, type SimulatedVps } from '../support/fleet.ts';
import { lookAt } from '../support/looks.ts';
import { endWith, scratchEnvironment, startServer } from '../support/project.ts';

const [CALM, TROUBLED] = ['c0@example.test', 'c1@example.test'];
let scratch: ReturnType<typeof scratchEnvironment>;
let server: Awaited<ReturnType<typeof startServer>>;
const fleet: SimulatedVps[] = [];
let ids: string[];
/** Of each VPS, one that has ended. */
let past: string[];
const cookies = new Map<string, string>();

/** A past for each VPS, as the demo has one; gives the id of an incident of each. */
async function makeUpPast(vpsIds: readonly string[]): Promise<string[]> {
  const app = await openApp(scratch.environment, 'server');
  const watched = vpsIds.map((vpsId) => {
    const vps = app.db.select().from(subscriptions).where(eq(subscriptions.id, vpsId)).get();
    return { vpsId, userId: vps?.userId ?? '' };
  });
  await seedHistory(app, watched, new Date());
  const found = vpsIds.map(
    (vpsId) => app.db.select().from(incidents).where(eq(incidents.vpsId, vpsId)).get()?.id ?? 'none',
  );
  app.close();
  return found;
}

test.beforeAll(async () => {
  test.setTimeout(180_000);
  scratch = scratchEnvironment({ HEALTH_CHECK_CRON: '* * * * * *', RESTART_SETTLE_MS: '50' });
  const login = makeLogin(scratch.folder);
  for (const behaviour of [{}, { unit: 'failed', restart: 'fails' }] as const)
    fleet.push(await startVps(login.publicKey, behaviour));
  ids = await addAll(scratch.environment, login.keyFile, fleet);
  await createAdmin(scratch.environment);
  past = await makeUpPast(ids);
  server = await startServer(scratch.environment);
  await server.line(/TRIPPED/);
  for (const email of [CALM, TROUBLED]) await acceptInvitation(scratch.environment, server.url, email);
  for (const email of [CALM, TROUBLED, ADMIN]) cookies.set(email, await signIn(server.url, email));
});
test.afterAll(async () => {
  await endWith(server, 'SIGKILL');
  for (const { host } of fleet) await host.close();
  scratch.remove();
});

const be = (context: BrowserContext, email: string): Promise<void> =>
  context.addCookies(cookiesOf(cookies.get(email) ?? '').map((one) => ({ ...one, url: server.url })));

/** Errors of the page and requests to anywhere else. */
function watch(page: Page): string[] {
  const wrong: string[] = [];
  page.on('pageerror', (error) => wrong.push(error.message));
  page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()));
  page.on('request', (request) => request.url().startsWith(server.url) || wrong.push(request.url()));
  return wrong;
}

test('a customer reads in one sentence that all is well, and sees the past', async ({ page, context }) => {
  const wrong = watch(page);
  await be(context, CALM);
  await page.goto(server.url);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(/^Running\. Checked \d+ s ago\.$/);
  await expect(page.getByText(/^99\.\d\d %$/).last()).toBeVisible();
  await expect(
    page.getByRole('img', { name: /Uptime of each of the last 90 days\. .*had an interruption/ }),
  ).toBeVisible();
  await expect(page.getByRole('img', { name: /All of the last 60 checks found it running/ })).toBeVisible();
  await expect(page.getByText(/In the last 24 hours an answer usually took \d+ ms/)).toBeVisible();
  await expect(page.getByText(/Demo data: everything before .* is made up/)).toBeVisible();
  await page.getByRole('navigation', { name: 'Time span' }).getByRole('link', { name: '7 d' }).click();
  await expect(page).toHaveURL(/\?range=7d$/);
  await expect(page.getByText(/In the last 7 days an answer usually took/)).toBeVisible();
  expect(wrong).toEqual([]);
});

test('a customer in trouble learns what was tried, what comes next, and nothing that the machine said', async ({
  page,
  context,
}) => {
  await be(context, TROUBLED);
  const response = await page.goto(`${server.url}/vps/${ids[1]}`);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(
    /^Three restarts did not help; our team knows, next automatic try in \d+ min\.$/,
  );
  await expect(page.getByText('We stopped trying for a while and told our team').first()).toBeVisible();
  const sent = (await response?.text()) ?? '';
  expect(sent).not.toMatch(/exit-code|control process|No space left|SHA256:|circuit opened/);
  await page.getByRole('link', { name: / ago$/ }).first().click();
  await expect(page).toHaveURL(/\/incidents\/incident-/);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(
    /The service was not running\. This has been so for/,
  );
  expect(await page.content()).not.toMatch(/exit-code|control process|No space left/);
  expect((await page.goto(`${server.url}/incidents/${past[0]}`))?.status()).toBe(404);
});

test('an admin sees what each next event would do, and the evidence from before a restart', async ({
  page,
  context,
}) => {
  const wrong = watch(page);
  await be(context, ADMIN);
  await page.goto(`${server.url}/vps/${ids[1]}`);
  await expect(page.getByRole('img', { name: /The circuit is open; \d+ of 3 failures/ })).toBeVisible();
  await expect(page.getByText('Half-open: one trial restart, if a check finds it stopped.')).toBeVisible();
  await expect(page.getByText(/^SHA256:/)).toBeVisible();
  await expect(page.getByLabel('Journal of this VPS')).toContainText('circuit opened after 3 failed checks');
  await page.locator('summary', { hasText: 'Restart of' }).filter({ hasText: 'failed' }).first().click();
  await expect(page.getByText('No space left on device').first()).toBeVisible();
  await page.getByRole('link', { name: 'All incidents of this VPS' }).click();
  await expect(page).toHaveURL(`${server.url}/incidents?vps=${ids[1]}`);
  expect(wrong).toEqual([]);
});

test('incidents can be filtered, exported and acknowledged', async ({ page, context }) => {
  const wrong = watch(page);
  await be(context, ADMIN);
  await page.goto(`${server.url}/incidents`);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('1 incident is open.');
  await expect(page.getByText(/mean time to recovery \d+ (s|min)/)).toBeVisible();
  await page.getByLabel('Cause').selectOption({ label: 'No answer in time' });
  await page.getByLabel('State').selectOption('ended');
  await page.getByRole('button', { name: 'Show' }).click();
  await expect(page).toHaveURL(/\?state=ended&cause=timeout&from=&to=$/);
  const rows = page.locator('[data-incident]');
  await expect(rows.filter({ hasText: 'Service not active' })).toHaveCount(0);
  const shown = await rows.count();
  expect(shown).toBeGreaterThan(0);
  const href = await page.getByRole('link', { name: 'Download as CSV' }).getAttribute('href');
  const exported = await page.request.get(server.url + href);
  expect(exported.headers()['content-disposition']).toMatch(/^attachment; filename="incidents-.*\.csv"$/);
  const lines = (await exported.text()).trimEnd().split('\r\n');
  expect(lines[0]).toMatch(/^id,opened_at,/);
  expect(lines).toHaveLength(1 + shown);

  await page.getByRole('link', { name: 'Show all' }).click();
  await page.getByRole('button', { name: /^Acknowledge/ }).click();
  await expect(page.getByRole('button', { name: /^Acknowledge/ })).toHaveCount(0);
  await expect(rows.first()).toContainText('acknowledged');
  await rows.first().getByRole('link').first().click();
  await expect(page.getByText(`by ${ADMIN}`)).toBeVisible();
  expect(wrong).toEqual([]);
});

test.describe('without JavaScript', () => {
  test.use({ javaScriptEnabled: false });

  test('the pages show the state and the chart, and a filter works', async ({ page, context }) => {
    await be(context, ADMIN);
    await page.goto(`${server.url}/vps/${ids[1]}?range=30d`);
    await expect(page.getByText(/In the last 30 days an answer usually took/)).toBeVisible();
    await page.goto(`${server.url}/incidents`);
    await page.getByLabel('From (UTC)').fill('2020-01-01');
    await page.getByLabel('To', { exact: true }).fill('2020-01-02');
    await page.getByRole('button', { name: 'Show' }).click();
    await expect(page.getByText('No incident is like that.')).toBeVisible();
  });

  test('what one is told is chosen with plain forms, and a mistake says what to do', async ({ page, context }) => {
    await be(context, CALM);
    await page.goto(`${server.url}/account`);
    await page.getByRole('link', { name: 'Choose what we tell you' }).click();
    const email = page.getByRole('region', { name: 'e-mail' });
    await email.getByLabel('It had stopped and was restarted at once').uncheck();
    await email.getByRole('button').click();
    await expect(page.getByText('Saved what we tell you by e-mail.')).toBeVisible();
    await expect(email.getByLabel('It had stopped and was restarted at once')).not.toBeChecked();
    await expect(email.getByLabel('Your server or its service is down')).toBeChecked();
    const webhook = page.getByRole('region', { name: 'webhook' });
    await webhook.getByLabel('Tell me by webhook').check();
    await webhook.getByLabel('Address').fill('https://example.com/hook');
    await webhook.getByRole('button').click();
    const secret = webhook.getByLabel('Secret to sign with');
    await expect(secret).toHaveAccessibleDescription(/Webhook has no secret to sign with/);
    await expect(webhook.getByLabel('Address')).toHaveValue('https://example.com/hook');
    await secret.fill('a secret of enough length');
    await webhook.getByRole('button').click();
    await expect(webhook.getByLabel('Tell me by webhook')).toBeChecked();
  });
});

test('every page is accessible and fits, in both themes, on phone and desktop', async ({ page, context }, testInfo) => {
  test.setTimeout(180_000);
  for (const [email, name, path] of [
    [CALM, 'my-vps', `/vps/${ids[0]}`],
    [TROUBLED, 'my-vps-in-trouble', `/vps/${ids[1]}?range=1h`],
    [TROUBLED, 'my-incident', `/incidents/${past[1]}`],
    [CALM, 'notifications', '/account/notifications'],
    [ADMIN, 'vps', `/vps/${ids[1]}`],
    [ADMIN, 'incidents', '/incidents'],
    [ADMIN, 'incident', `/incidents/${past[1]}`],
  ] as const) {
    await be(context, email);
    await page.goto(server.url + path);
    await lookAt(page, name, testInfo);
  }
});
