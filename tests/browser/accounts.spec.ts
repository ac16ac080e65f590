import { expect, type Page } from '@playwright/test';
import { acceptInvitation, ADMIN, cookiesOf, createAdmin, PASSWORD, signIn } from '../support/accounts.ts';
import { test } from '../support/browser.ts';
import { addAll, makeLogin, startVps, type SimulatedVps } from '../support/fleet.ts';
import { endWith, runCli, scratchEnvironment, startServer } from '../support/project.ts';
import { lookAt } from '../support/looks.ts';
import { totp } from '../support/totp.ts';

type Server = Awaited<ReturnType<typeof startServer>>;
/** A code is good for one use, and the next one is taken half a minute early. */
const NEXT_MS = 30_000;
const CUSTOMER = 'c0@example.test';
let scratch: ReturnType<typeof scratchEnvironment>;
let fresh: ReturnType<typeof scratchEnvironment>;
let server: Server;
let freshServer: Server;
const fleet: SimulatedVps[] = [];
let ids: string[];

test.beforeAll(async () => {
  test.setTimeout(180_000);
  scratch = scratchEnvironment({ HEALTH_CHECK_CRON: '* * * * * *', RESTART_SETTLE_MS: '50' });
  const login = makeLogin(scratch.folder);
  for (const behaviour of [{}, {}]) fleet.push(await startVps(login.publicKey, behaviour));
  ids = await addAll(scratch.environment, login.keyFile, fleet);
  await createAdmin(scratch.environment);
  server = await startServer(scratch.environment);
  await acceptInvitation(scratch.environment, server.url, CUSTOMER);
  fresh = scratchEnvironment();
  freshServer = await startServer(fresh.environment);
});
test.afterAll(async () => {
  await endWith(server, 'SIGKILL');
  await endWith(freshServer, 'SIGKILL');
  for (const { host } of fleet) await host.close();
  scratch.remove();
  fresh.remove();
});

const welcomeLink = async (): Promise<string> =>
  /http\S+/.exec(await freshServer.line(/there is no administrator yet/))?.[0] ?? '';
async function fillIn(page: Page, fields: Record<string, string>, button: string): Promise<void> {
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label).fill(value);
  await page.getByRole('button', { name: button }).click();
}
const beSomeone = async (page: Page, email: string): Promise<void> => {
  const cookies = cookiesOf(await signIn(server.url, email));
  await page.context().addCookies(cookies.map((one) => ({ ...one, url: server.url })));
};

test('an account leads back to the page that was asked for, and an error keeps what was typed', async ({ page }) => {
  await page.goto(`${server.url}/vps/${ids[0]}`);
  await expect(page).toHaveURL(/\/sign-in\?next=/);
  await fillIn(page, { 'E-mail address': ADMIN, Password: 'wrong' }, 'Sign in');
  await expect(page.getByRole('alert')).toContainText('do not belong together');
  await expect(page.getByLabel('E-mail address')).toHaveValue(ADMIN);
  await expect(page.getByLabel('Password')).toHaveValue('');
  await fillIn(page, { Password: PASSWORD }, 'Sign in');
  await expect(page).toHaveURL(`${server.url}/vps/${ids[0]}`);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByText('You are signed out.')).toBeVisible();
  await page.goto(server.url);
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
});

test('a customer finds the own VPS, and no other one', async ({ page }) => {
  await beSomeone(page, CUSTOMER);
  await page.goto(server.url);
  await expect(page).toHaveURL(`${server.url}/vps/${ids[0]}`);
  const response = await page.goto(`${server.url}/vps/${ids[1]}`);
  expect(response?.status()).toBe(404);
});

test('a page that is open when its session ends leads to the sign-in by itself', async ({ page }) => {
  await beSomeone(page, ADMIN);
  await page.goto(server.url);
  await expect(page.getByRole('table', { name: 'Fleet' })).toBeVisible();
  await page.context().clearCookies();
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
});

for (const javaScriptEnabled of [true, false])
  test.describe(javaScriptEnabled ? 'with JavaScript' : 'without JavaScript', () => {
    test.use({ javaScriptEnabled });

    test('the second factor is set up, asked for, and switched off', async ({ page }) => {
      await page.goto(`${server.url}/sign-in?next=/account/second-factor`);
      await fillIn(page, { 'E-mail address': ADMIN, Password: PASSWORD }, 'Sign in');
      await fillIn(page, { 'Your password': 'wrong' }, 'Go on');
      await expect(page.getByText('That is not your password.')).toBeVisible();
      await fillIn(page, { 'Your password': PASSWORD }, 'Go on');
      const secret = (await page.getByText(/^([A-Z2-7]{4} )+[A-Z2-7]+$/).textContent()) ?? '';
      const [backupCode = ''] = await page.getByRole('listitem').allTextContents();
      await fillIn(page, { 'Six digits': '000000' }, 'Switch it on');
      await expect(page.getByText('That code is not right.')).toBeVisible();
      await expect(page.getByText(secret)).toBeVisible();
      await fillIn(page, { 'Six digits': totp(secret, Date.now()) }, 'Switch it on');
      await expect(page.getByText('The second factor is on.')).toBeVisible();
      for (const code of [() => totp(secret, Date.now() + NEXT_MS), () => backupCode]) {
        await page.context().clearCookies();
        await page.goto(`${server.url}/sign-in?next=/account/second-factor`);
        await fillIn(page, { 'E-mail address': ADMIN, Password: PASSWORD }, 'Sign in');
        await fillIn(page, { Code: '000000' }, 'Sign in');
        await expect(page.getByRole('alert')).toContainText('That code is not right.');
        await fillIn(page, { Code: code() }, 'Sign in');
        await expect(page).toHaveURL(`${server.url}/account/second-factor`);
      }
      await page.locator('#codes-password').fill(PASSWORD);
      await page.getByRole('button', { name: 'Make new backup codes' }).click();
      await expect(page.getByRole('listitem')).toHaveCount(10);
      await page.locator('#off-password').fill(PASSWORD);
      await page.getByRole('button', { name: 'Switch off' }).click();
      await expect(page.getByText('The second factor is off.')).toBeVisible();
    });

    test('the password is changed, which signs out everywhere else', async ({ page }) => {
      const elsewhere = await signIn(server.url, CUSTOMER);
      await page.goto(`${server.url}/sign-in?next=/account`);
      await fillIn(page, { 'E-mail address': CUSTOMER, Password: PASSWORD }, 'Sign in');
      await fillIn(page, { 'How we address you': 'Kestrel Foods' }, 'Save the name');
      await expect(page.getByText('Your name is saved.')).toBeVisible();
      await fillIn(page, { 'Current password': PASSWORD, 'New password': 'short' }, 'Change the password');
      await expect(page.getByText('Choose a password of at least 12 characters')).toBeVisible();
      await fillIn(page, { 'Current password': PASSWORD, 'New password': PASSWORD }, 'Change the password');
      await expect(page.getByText('Your password is changed.')).toBeVisible();
      const { status } = await fetch(`${server.url}/account`, { headers: { cookie: elsewhere }, redirect: 'manual' });
      expect(status).toBe(303);
    });
  });

test.describe('without JavaScript', () => {
  test.use({ javaScriptEnabled: false });
  test('an invitation gives a password, once', async ({ page }) => {
    const { stdout } = await runCli(scratch.environment, 'user', 'invite', 'c1@example.test', '--json');
    const { link } = JSON.parse(stdout) as { link: string };
    const { pathname, search } = new URL(link);
    await page.goto(server.url + pathname + search);
    await fillIn(page, { Password: 'short' }, 'Set the password');
    await expect(page.getByText('at least 12 characters;').first()).toBeVisible();
    await fillIn(page, { Password: PASSWORD }, 'Set the password');
    await expect(page.getByText('Your password is set.')).toBeVisible();
    await page.goto(server.url + pathname + search);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('This link does not work');
  });
});

test('the pages of accounts are accessible and fit, in both themes, on phone and desktop', async ({
  page,
}, testInfo) => {
  test.setTimeout(300_000);
  const wrong: string[] = [];
  page.on('pageerror', (error) => wrong.push(error.message));
  page.on('console', (message) => message.text().includes('Content Security Policy') && wrong.push(message.text()));
  const look = (name: string): Promise<void> => lookAt(page, name, testInfo);
  await page.goto(`${freshServer.url}/sign-in`);
  await look('sign-in-new');
  await page.goto(await welcomeLink());
  await fillIn(page, { 'E-mail address': 'ops@example.test', Password: 'short', Name: 'Ops' }, 'Become');
  await look('welcome');
  await page.goto(`${freshServer.url}/welcome`);
  await look('welcome-void');
  await page.goto(`${server.url}/sign-in`);
  await look('sign-in');
  await fillIn(page, { 'E-mail address': ADMIN, Password: 'wrong' }, 'Sign in');
  await look('sign-in-wrong');
  await page.goto(`${server.url}/forgot-password`);
  await look('forgot-password');
  await page.goto(`${server.url}/reset-password`);
  await look('reset-password-void');
  const { stdout } = await runCli(scratch.environment, 'user', 'invite', CUSTOMER, '--json');
  await page.goto((JSON.parse(stdout) as { link: string }).link.replace(/^http:\/\/[^/]+/, server.url));
  await look('reset-password');
  await beSomeone(page, CUSTOMER);
  await page.goto(`${server.url}/account`);
  await look('account-customer');
  await page.goto(`${server.url}/vps/${ids[0]}`);
  await look('vps-customer');
  await page.context().clearCookies();
  await beSomeone(page, ADMIN);
  await page.goto(server.url);
  await look('fleet');
  await page.goto(`${server.url}/account`);
  await look('account-admin');
  await page.goto(`${server.url}/sign-out`);
  await look('sign-out');
  await page.goto(`${server.url}/account/second-factor`);
  await look('second-factor');
  await fillIn(page, { 'Your password': PASSWORD }, 'Go on');
  await look('second-factor-setup');
  const secret = (await page.getByText(/^([A-Z2-7]{4} )+[A-Z2-7]+$/).textContent()) ?? '';
  await fillIn(page, { 'Six digits': totp(secret, Date.now()) }, 'Switch it on');
  await look('second-factor-on');
  await page.context().clearCookies();
  await page.goto(`${server.url}/sign-in?next=/account/second-factor`);
  await fillIn(page, { 'E-mail address': ADMIN, Password: PASSWORD }, 'Sign in');
  await look('second-step');
  await fillIn(page, { Code: totp(secret, Date.now() + NEXT_MS) }, 'Sign in');
  await page.locator('#off-password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Switch off' }).click();
  await expect(page.getByText('The second factor is off.')).toBeVisible();
  expect(wrong).toEqual([]);
});
