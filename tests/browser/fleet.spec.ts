import AxeBuilder from '@axe-core/playwright';
import { expect, test, type BrowserContext, type Page } from '@playwright/test';
import { cookiesOf, createAdmin, signIn } from '../support/accounts.ts';
import { addAll, makeLogin, startVps, type SimulatedVps } from '../support/fleet.ts';
import { endWith, runCli, scratchEnvironment, startServer } from '../support/project.ts';

let scratch: ReturnType<typeof scratchEnvironment>;
let server: Awaited<ReturnType<typeof startServer>>;
let fleet: SimulatedVps[];
let ids: string[];
let cookie: string;

test.beforeAll(async () => {
  scratch = scratchEnvironment({
    HEALTH_CHECK_CRON: '* * * * * *',
    RESTART_SETTLE_MS: '50',
    SSH_CONNECT_TIMEOUT_MS: '500',
  });
  const login = makeLogin(scratch.folder);
  fleet = [];
  for (const behaviour of [{}, { unit: 'failed', restart: 'fails' }, { network: 'hangs' }, {}] as const)
    fleet.push(await startVps(login.publicKey, behaviour));
  ids = await addAll(scratch.environment, login.keyFile, fleet);
  await runCli(scratch.environment, 'vps', 'maintenance', ids[3] ?? '', 'on');
  await createAdmin(scratch.environment);
  server = await startServer(scratch.environment);
  await server.line(/TRIPPED/);
  cookie = await signIn(server.url);
});
const beAdmin = (context: BrowserContext): Promise<void> =>
  context.addCookies(cookiesOf(cookie).map((one) => ({ ...one, url: server.url })));
test.beforeEach(({ context }) => beAdmin(context));
test.afterAll(async () => {
  await endWith(server, 'SIGKILL');
  for (const { host } of fleet) await host.close();
  scratch.remove();
});

/** Errors of the page and requests to anywhere else. */
function watch(page: Page): string[] {
  const wrong: string[] = [];
  page.on('pageerror', (error) => wrong.push(error.message));
  page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()));
  page.on('request', (request) => request.url().startsWith(server.url) || wrong.push(request.url()));
  return wrong;
}
const row = (page: Page, index: number) => page.locator(`[data-vps="${ids[index]}"]`);

test('the fleet page says how the fleet is, trouble first, with shape, word and circuit', async ({ page }) => {
  const wrong = watch(page);
  await page.goto(server.url);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(/1 of 4 VPSs are healthy\. .*under maintenance\./);
  await expect(row(page, 1)).toContainText('Circuit open');
  await expect(row(page, 1)).toContainText(/Open · trial in \d+ min/);
  await expect(row(page, 1)).toContainText('service not active: failed (exit-code)');
  await expect(row(page, 0)).toContainText(/Healthy.*Closed.*\d+ s ago/);
  await expect(row(page, 3)).toContainText('Maintenance');
  await expect(row(page, 2)).toContainText('no answer within 0.5 s (handshake)');
  const order = await page.locator('[data-vps]').evaluateAll((rows) => rows.map((one) => one.getAttribute('data-vps')));
  expect(order.indexOf(ids[1] ?? '')).toBeLessThan(order.indexOf(ids[0] ?? ''));
  expect(order.at(-1)).toBe(ids[0]);
  expect(wrong).toEqual([]);
});

test('the page shows a service that stops, without a reload', async ({ page }) => {
  await page.goto(server.url);
  await expect(row(page, 0)).toContainText('Healthy');
  const stopped = fleet[0]?.machine;
  if (!stopped) throw new Error('no fleet');
  Object.assign(stopped, { unit: 'failed', restart: 'fails' });
  await expect(row(page, 0)).toContainText(/Unhealthy|Circuit open/, { timeout: 15_000 });
  Object.assign(stopped, { unit: 'active', restart: 'works' });
  await expect(row(page, 0)).toContainText('Healthy', { timeout: 15_000 });
});

test('a status filters the list, and the address keeps it', async ({ page }) => {
  await page.goto(server.url);
  await page
    .getByRole('navigation', { name: 'Filter by status' })
    .getByRole('link', { name: /Maintenance 1/ })
    .click();
  await expect(page).toHaveURL(/\?status=maintenance$/);
  await expect(page.locator('[data-vps]')).toHaveCount(1);
});

test('a row leads to its VPS, which says what happens next', async ({ page }) => {
  const wrong = watch(page);
  await page.goto(server.url);
  await row(page, 1).getByRole('link').click();
  await expect(
    page.getByText(/checks in a row failed\. Automatic restarts pause; one trial in \d+ min\./),
  ).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Restarts' })).toBeVisible();
  await expect(page.getByText('Failed', { exact: true })).toHaveCount(3);
  expect(wrong).toEqual([]);
});

test('a VPS that is not there is said to be so', async ({ page }) => {
  const response = await page.goto(`${server.url}/vps/nobody`);
  expect(response?.status()).toBe(404);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('There is no such VPS');
});

test.describe('without JavaScript', () => {
  test.use({ javaScriptEnabled: false });
  test('the pages still show the state', async ({ page }) => {
    await page.goto(server.url);
    await expect(row(page, 1)).toContainText('Circuit open');
    await page.goto(`${server.url}/vps/${ids[1]}`);
    await expect(page.getByText('Automatic restarts pause', { exact: false })).toBeVisible();
  });
});

for (const colorScheme of ['light', 'dark'] as const)
  for (const width of [360, 1440])
    test(`every page is accessible and fits, ${colorScheme}, at ${width} pixels`, async ({ browser }, testInfo) => {
      const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 } });
      await beAdmin(context);
      const page = await context.newPage();
      for (const [name, path] of [
        ['fleet', '/'],
        ['vps', `/vps/${ids[1]}`],
      ] as const) {
        await page.goto(server.url + path);
        await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
        const { violations } = await new AxeBuilder({ page }).analyze();
        expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
        await page.screenshot({ path: testInfo.outputPath(`${name}-${colorScheme}-${width}.png`), fullPage: true });
      }
      await context.close();
    });
