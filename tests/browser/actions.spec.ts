import { expect, type Page } from '@playwright/test';
import { makePrivateKey } from '../../src/lib/provisioning/private-key.ts';
import { acceptInvitation, ADMIN, cookiesOf, createAdmin, signIn } from '../support/accounts.ts';
import { test } from '../support/browser.ts';
import { addAll, makeLogin, startVps, type SimulatedVps } from '../support/fleet.ts';
import { lookAt } from '../support/looks.ts';
import { startMailServer, type MailServer } from '../support/mail-server.ts';
import { endWith, runCli, scratchEnvironment, startServer } from '../support/project.ts';

const CUSTOMER = 'c0@example.test';
let scratch: ReturnType<typeof scratchEnvironment>;
let server: Awaited<ReturnType<typeof startServer>>;
let mail: MailServer;
let login: ReturnType<typeof makeLogin>;
const fleet: SimulatedVps[] = [];
let ids: string[];
const cookies = new Map<string, string>();

test.beforeAll(async () => {
  test.setTimeout(180_000);
  mail = await startMailServer();
  // The monitor is off: what is seen here comes of the actions alone.
  scratch = scratchEnvironment({
    ENABLE_HEALTH_MONITOR: 'false',
    HEALTH_CHECK_CRON: '0 0 * * *',
    RESTART_SETTLE_MS: '50',
    SMTP_URL: mail.url,
  });
  login = makeLogin(scratch.folder);
  for (const behaviour of [{}, {}]) fleet.push(await startVps(login.publicKey, behaviour));
  ids = await addAll(scratch.environment, login.keyFile, fleet);
  // As every test finds them, whichever was before it: checked, and so with a pinned key.
  const { exitCode, stderr } = await runCli(scratch.environment, 'sweep');
  if (exitCode !== 0) throw new Error(stderr);
  await createAdmin(scratch.environment);
  server = await startServer(scratch.environment);
  await acceptInvitation(scratch.environment, server.url, CUSTOMER);
  for (const email of [ADMIN, CUSTOMER]) cookies.set(email, await signIn(server.url, email));
});
test.afterAll(async () => {
  await endWith(server, 'SIGKILL');
  await mail.close();
  for (const { host } of fleet) await host.close();
  scratch.remove();
});

const be = async (page: Page, email: string): Promise<void> => {
  const header = cookies.get(email) ?? '';
  await page.context().addCookies(cookiesOf(header).map((one) => ({ ...one, url: server.url })));
};
const machine = (index: number) => {
  const vps = fleet[index];
  if (!vps) throw new Error('no such VPS');
  return vps;
};
const restarts = (index: number): number =>
  machine(index).commands.filter((command) => command.includes('systemctl restart')).length;
const done = (page: Page, text: string | RegExp) =>
  expect(page.getByRole('status').filter({ hasText: text })).toBeVisible();
/** The page without what is on its way: without JavaScript a person loads it again. */
const shows = (page: Page, text: string | RegExp) =>
  expect(async () => {
    await page.reload();
    await expect(page.getByText(text).first()).toBeVisible({ timeout: 500 });
  }).toPass();
const nothingUnderWay = (page: Page) =>
  expect(async () => {
    await page.reload();
    await expect(page.getByText(/under way|Check asked for/)).toHaveCount(0, { timeout: 500 });
  }).toPass();
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
/** Until its result is there: what is asked for while a check is under way is that check. */
async function checkNow(page: Page): Promise<void> {
  const taken = page.waitForResponse((response) => response.url().endsWith('?/check'));
  await button(page, 'Check now').click();
  await taken;
  await nothingUnderWay(page);
}

for (const javaScriptEnabled of [true, false])
  test.describe(javaScriptEnabled ? 'with JavaScript' : 'without JavaScript', () => {
    test.use({ javaScriptEnabled });

    test.beforeEach(({ page }) => be(page, ADMIN));

    /** Opens a question, which is a dialog or a page, and answers it. */
    async function answer(page: Page, link: string, says: RegExp, yes: string): Promise<void> {
      if (javaScriptEnabled) await page.locator('html[data-hydrated]').waitFor({ state: 'attached' });
      await page.getByRole('link', { name: link }).click();
      const asked = javaScriptEnabled ? page.getByRole('dialog') : page.getByRole('main');
      await expect(asked.getByRole('heading', { name: says })).toBeVisible();
      if (!javaScriptEnabled) await expect(page).toHaveURL(/\/actions\?confirm=/);
      await asked.getByRole('button', { name: yes }).click();
    }

    test('a VPS is checked, restarted, reset, paused and maintained', async ({ page }) => {
      const before = restarts(0);
      await page.goto(`${server.url}/vps/${ids[0]}`);
      await checkNow(page);
      await shows(page, 'rachel8 is running.');

      await answer(page, 'Restart now…', /^Restart rachel8 on 127\.0\.0\.1\?$/, 'Restart now');
      await done(page, /^\W*(Restart asked for|The restart that was asked for is over)/);
      await expect.poll(() => restarts(0)).toBe(before + 1);
      await nothingUnderWay(page);
      await expect(
        page
          .getByRole('listitem')
          .filter({ hasText: /Worked\s*by hand/ })
          .first(),
      ).toBeVisible();

      await answer(page, 'Pause healing…', /^Pause healing of/, 'Pause healing');
      await done(page, 'Healing of this VPS is paused.');
      machine(0).machine.unit = 'failed';
      await checkNow(page);
      await shows(page, /automatic restarts of this VPS are switched off/);
      expect(restarts(0)).toBe(before + 1);
      await button(page, 'Resume healing').click();
      await done(page, 'Healing is on again.');

      machine(0).machine.restart = 'fails';
      for (let round = 0; round < 3; round++) {
        await answer(page, 'Restart now…', /^Restart/, 'Restart now');
        await expect.poll(() => restarts(0)).toBe(before + 2 + round);
        await nothingUnderWay(page);
      }
      await shows(page, 'Circuit open');
      await answer(page, 'Reset circuit…', /^Reset the circuit/, 'Reset the circuit');
      await done(page, 'The circuit is closed.');
      Object.assign(machine(0).machine, { restart: 'works', unit: 'active' });

      await page.goto(`${server.url}/vps/${ids[0]}/actions?confirm=maintenance`);
      await expect(page.getByLabel('Until (UTC)')).toBeHidden();
      await page.getByLabel('How long').selectOption('until a time …');
      await page.getByLabel('Until (UTC)').fill('2020-01-01T00:00');
      await button(page, 'Begin maintenance').click();
      await expect(page.getByText('Enter a time in the future, in UTC.')).toBeVisible();
      await page.goto(`${server.url}/vps/${ids[0]}`);
      await answer(page, 'Maintenance…', /^Begin maintenance/, 'Begin maintenance');
      await done(page, 'Maintenance has begun.');
      await expect(page.getByText('Maintenance', { exact: true }).first()).toBeVisible();
      await button(page, 'End maintenance').click();
      await done(page, 'Maintenance has ended.');

      await answer(page, 'Re-pin host key…', /^Trust another host key/, 'Trust the next key');
      await done(page, 'The old host key is forgotten.');
      await shows(page, /SHA256:/);
    });

    test('a changed host key is shown beside the pinned one, and trusted only as it was shown', async ({ page }) => {
      const actions = page.getByRole('region', { name: 'Actions' });
      const first = actions.locator('.button').first();
      await page.goto(`${server.url}/vps/${ids[1]}`);
      await checkNow(page);
      await shows(page, 'rachel8 is running.');
      await expect(first).toHaveText('Check now');
      const pinned = (await page.getByText(/^SHA256:/).textContent()) ?? '';

      machine(1).host.changeHostKey();
      await checkNow(page);
      await shows(page, /Host key changed\. No check was possible over SSH/);
      await expect(page.getByText(/What to do: Compare the new fingerprint/)).toBeVisible();
      await expect(first).toHaveText('Re-pin host key…');
      const offered =
        (await page
          .getByText(/^SHA256:/)
          .last()
          .textContent()) ?? '';
      expect(offered).not.toBe(pinned);

      await first.click();
      const asked = javaScriptEnabled ? page.getByRole('dialog') : page.getByRole('main');
      await expect(asked.getByText(`Pinned: ${pinned}`)).toBeVisible();
      await expect(asked.getByText(`Shown now: ${offered}`)).toBeVisible();
      // Yet another one by the time of the answer: not what was agreed to.
      machine(1).host.changeHostKey();
      await asked.getByRole('button', { name: 'Trust this key' }).click();
      await done(page, 'The old host key is forgotten.');
      await shows(page, /Host key changed/);
      expect(
        await page
          .getByText(/^SHA256:/)
          .first()
          .textContent(),
      ).toBe(offered);

      await answer(page, 'Re-pin host key…', /^Trust the new host key of/, 'Trust this key');
      await done(page, 'The old host key is forgotten.');
      await shows(page, 'rachel8 is running.');
      await expect(page.getByText(/^SHA256:/)).toHaveCount(1);
    });

    test('a VPS is added, edited and removed; mistakes are told beside the fields', async ({ page }) => {
      const another = await startVps(login.publicKey);
      const customer = javaScriptEnabled ? 'doris@example.test' : 'emil@example.test';
      await page.goto(`${server.url}/vps/new`);
      await page.getByLabel('Customer’s e-mail address').fill(customer);
      await page.getByLabel('Host', { exact: true }).fill('127.0.0.1');
      await page.getByLabel('Port').fill('x');
      await page.getByLabel('Login').fill('test');
      await page.getByLabel('Private key').fill('SECRET');
      await button(page, 'Try and add it').click();
      await expect(page.getByText('Enter a whole number from 1 to 65535.')).toBeVisible();
      await expect(page.getByText(/^Paste an unencrypted private key/)).toBeVisible();
      await expect(page.getByLabel('Customer’s e-mail address')).toHaveValue(customer);
      expect(await page.content()).not.toContain('SECRET');
      await page.getByLabel('Port').fill(String(another.host.port));
      await page.getByLabel('Private key').fill(makePrivateKey());
      await button(page, 'Try and add it').click();
      await expect(page.getByRole('heading', { name: 'Not saved yet' })).toBeVisible();
      const verdictOf = (step: string) => page.locator(`[data-step=${step}]`).getAttribute('data-verdict');
      expect(await Promise.all(['dial', 'host_key', 'login', 'rights'].map(verdictOf))).toEqual([
        'passed',
        'noted',
        'failed',
        'skipped',
      ]);
      await expect(page.getByText(/authorized_keys' sh 'restrict ssh-ed25519 AAAA/)).toBeVisible();
      // While scripts show it, the page stays, and so does what was typed.
      await expect(page.getByLabel('Private key')).toHaveValue(javaScriptEnabled ? /BEGIN OPENSSH/ : '');
      await page.getByLabel('Private key').fill(login.privateKey);
      await button(page, 'Try and add it').click();
      await done(page, 'Added.');
      await shows(page, 'rachel8 is running.');

      await page.getByRole('link', { name: 'Edit' }).click();
      await expect(page.getByLabel('Private key')).toHaveValue('');
      await page.getByLabel('Customer’s name').fill('Kestrel Foods');
      await page.getByLabel('Service').fill('no/unit');
      await button(page, 'Save').click();
      await expect(page.getByText(/^Enter a systemd unit name/)).toBeVisible();
      await page.getByLabel('Service').fill('');
      await button(page, 'Save').click();
      await done(page, 'Saved.');
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Kestrel Foods');

      const { pathname } = new URL(page.url());
      await answer(page, 'Remove…', /^Remove 127\.0\.0\.1 from the fleet\?$/, 'Remove it');
      await expect(page.getByText('The VPS is out of the fleet.')).toBeVisible();
      expect((await page.goto(server.url + pathname))?.status()).toBe(404);
      await another.host.close();
    });

    test('channels are tested, healing is switched with a reason', async ({ page }) => {
      await page.goto(`${server.url}/settings`);
      await page.getByRole('button', { name: 'Send a test by E-mail' }).click();
      await shows(page, `The test to ${ADMIN} was taken.`);
      await page.getByText('Switch healing off…').click();
      await page.getByLabel('Why').fill('a new release');
      await button(page, 'Switch healing off').click();
      await done(page, 'Healing is off.');
      await expect(page.getByText(/by admin@example\.test: a new release/)).toBeVisible();
      await button(page, 'Switch healing on').click();
      await done(page, 'Healing is on');
      await expect(page.getByText('SSH_CONNECT_TIMEOUT_MS')).toBeVisible();
    });

    test('users are invited, changed and removed, and nobody locks out the last admin', async ({ page }) => {
      const email = javaScriptEnabled ? 'bert@example.test' : 'carla@example.test';
      await page.goto(`${server.url}/settings/users`);
      await page.getByLabel('E-mail address').fill('nobody');
      await button(page, 'Invite').click();
      await expect(page.getByText('Enter an e-mail address such as')).toBeVisible();
      await page.getByLabel('E-mail address').fill(email);
      await button(page, 'Invite').click();
      await done(page, `Mailed to ${email}.`);
      const card = page.getByRole('listitem').filter({ hasText: email });
      const manage = async (name: string): Promise<void> => {
        await card.getByText('Manage').click();
        await card.getByRole('button', { name }).click();
      };
      await manage('Make administrator');
      await done(page, 'The role is changed.');
      await expect(card).toContainText('Administrator');
      await manage('Disable');
      await done(page, 'The account is disabled');
      await expect(card).toContainText('disabled');
      await manage('Remove');
      await done(page, 'The account is gone.');
      await expect(card).toHaveCount(0);
      const own = page.getByRole('listitem').filter({ hasText: ADMIN });
      await own.getByText('Manage').click();
      await expect(own.getByRole('button', { name: /Disable|Make customer|Remove/ })).toHaveCount(0);
    });

    test('the owner makes a public page, which tells no secrets, and takes it back', async ({ page, browser }) => {
      await page.context().clearCookies();
      await be(page, CUSTOMER);
      await page.goto(`${server.url}/vps/${ids[0]}/status-page`);
      await page.getByLabel('What the page calls it').fill('Kestrel <shop>');
      await button(page, 'Switch the page on').click();
      await done(page, 'The page is public now');
      const href = (await page.getByRole('link', { name: /\/status\// }).getAttribute('href')) ?? '';
      const path = new URL(href, page.url()).pathname;

      const stranger = await browser.newContext({ javaScriptEnabled });
      const visit = await stranger.newPage();
      expect((await visit.goto(server.url + path))?.headers()['x-robots-tag']).toContain('noindex');
      await expect(visit.getByRole('heading', { level: 1 })).toHaveText(/^Kestrel <shop> (is|has)/);
      const html = await visit.content();
      for (const secret of [CUSTOMER, 'rachel8', String(machine(0).host.port), ids[0] ?? ''])
        expect(html).not.toContain(secret);
      const badge = await stranger.request.get(`${server.url}${path}/badge.svg`);
      expect(badge.headers()).toMatchObject({ 'content-type': 'image/svg+xml', 'cache-control': 'public, max-age=60' });
      expect(await badge.text()).toContain('<title>Kestrel &lt;shop&gt;: ');

      await button(page, 'Give it another address').click();
      await done(page, 'The page has another address.');
      expect((await visit.goto(server.url + path))?.status()).toBe(404);
      await button(page, 'Switch the page off').click();
      await done(page, 'There is no public page any more.');
      await stranger.close();
    });
  });

test('a question is left with Escape, and the focus is where it was', async ({ page }) => {
  await be(page, ADMIN);
  await page.goto(`${server.url}/vps/${ids[1]}`);
  const link = page.getByRole('link', { name: 'Remove…' });
  await link.focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toBeHidden();
  await expect(link).toBeFocused();
});

test('the pages are accessible and fit, in both themes, on phone and desktop', async ({ page }, testInfo) => {
  test.setTimeout(300_000);
  const wrong: string[] = [];
  page.on('pageerror', (error) => wrong.push(error.message));
  page.on('console', (message) => message.text().includes('Content Security Policy') && wrong.push(message.text()));
  page.on('request', (request) => request.url().startsWith(server.url) || wrong.push(request.url()));
  const look = (name: string): Promise<void> => lookAt(page, name, testInfo);
  await be(page, ADMIN);
  const vps = `${server.url}/vps/${ids[1]}`;
  await page.goto(vps);
  await button(page, 'Check now').click();
  await shows(page, 'rachel8 is running.');
  await page.getByRole('link', { name: 'Maintenance…' }).click();
  await look('vps-dialog');
  await page.goto(`${vps}/actions`);
  await look('actions');
  await page.goto(`${vps}/actions?confirm=restart`);
  await look('confirm');
  await page.goto(`${vps}/actions?confirm=remove`);
  await look('confirm-remove');
  await page.goto(`${vps}/edit`);
  await look('edit');
  await page.goto(`${server.url}/vps/new`);
  await button(page, 'Try and add it').click();
  await expect(page.getByText(/^Enter an e-mail address/)).toBeVisible();
  await look('new-mistakes');
  await page.goto(`${vps}/try`);
  await button(page, 'Try it now').click();
  await expect(page.locator('[data-step=link][data-verdict]')).toBeVisible();
  await look('try');
  await page.goto(`${server.url}/settings`);
  await page.getByText('Switch healing off…').click();
  await look('settings');
  await page.goto(`${server.url}/settings/users`);
  await page.getByText('Manage').first().click();
  await look('users');
  await page.goto(`${vps}/status-page`);
  await look('status-page-off');
  await button(page, 'Switch the page on').click();
  await look('status-page-on');
  await page.getByRole('link', { name: /\/status\// }).click();
  await look('status');
  await page.goto(`${vps}/status-page`);
  await button(page, 'Switch the page off').click();

  machine(0).host.changeHostKey();
  await page.goto(`${server.url}/vps/${ids[0]}`);
  await checkNow(page);
  await shows(page, 'Host key changed');
  await look('host-key-changed');
  await page.goto(`${server.url}/vps/${ids[0]}/actions?confirm=repin`);
  await look('confirm-repin');
  await be(page, CUSTOMER);
  await page.goto(server.url);
  await expect(page.getByRole('heading', { level: 1 })).toContainText('We have not been able to check the service');
  await look('my-vps-not-checkable');
  await be(page, ADMIN);
  await page.goto(`${server.url}/vps/${ids[0]}/actions?confirm=repin`);
  await button(page, 'Trust this key').click();
  await shows(page, 'rachel8 is running.');
  expect(wrong).toEqual([]);
});
