import { gzipSync } from 'node:zlib';
import { expect, type BrowserContext, type Locator, type Page, type Response } from '@playwright/test';
import { openApp } from '../../src/lib/app.ts';
import { cookiesOf, createAdmin, signIn } from '../support/accounts.ts';
import { test } from '../support/browser.ts';
import { addAll, makeLogin, startVps, type SimulatedVps } from '../support/fleet.ts';
import { addLargeFleet, customerOf, largeFleetId } from '../support/large-fleet.ts';
import { lookAt } from '../support/looks.ts';
import { endWith, runCli, scratchEnvironment, startServer } from '../support/project.ts';

type Site = { readonly url: string; readonly cookie: string; readonly close: () => Promise<void> };

const LARGE = 400;
const MOST_SCRIPT_BYTES = 120 * 1024;
let fleet: SimulatedVps[];
let ids: string[];
/** Four VPSs that are watched. */
let site: Site;
/** Hundreds that are not. */
let large: Site;
let empty: Site;

async function openSite(scratch: ReturnType<typeof scratchEnvironment>, ready: RegExp): Promise<Site> {
  await createAdmin(scratch.environment);
  const server = await startServer(scratch.environment);
  await server.line(ready);
  const close = async (): Promise<void> => {
    await endWith(server, 'SIGKILL');
    scratch.remove();
  };
  return { url: server.url, cookie: await signIn(server.url), close };
}

test.beforeAll(async () => {
  test.setTimeout(180_000);
  const scratch = scratchEnvironment({
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
  site = await openSite(scratch, /TRIPPED/);

  // What was seen of them counts for days.
  const many = scratchEnvironment({ ENABLE_HEALTH_MONITOR: 'false', HEALTH_CHECK_CRON: '0 0 * * *' });
  const app = await openApp(many.environment, 'server');
  await addLargeFleet(app, LARGE, new Date());
  app.close();
  large = await openSite(many, /monitor is off/);
  empty = await openSite(scratchEnvironment({ ENABLE_HEALTH_MONITOR: 'false' }), /monitor is off/);
});
test.afterAll(async () => {
  for (const one of [site, large, empty]) await one.close();
  for (const { host } of fleet) await host.close();
});

const beAdmin = async (context: BrowserContext): Promise<void> => {
  for (const { url, cookie } of [site, large, empty])
    await context.addCookies(cookiesOf(cookie).map((one) => ({ ...one, url })));
};
test.beforeEach(({ context }) => beAdmin(context));
/** A browser keeps one jar for all ports of a host. */
const visit = async (page: Page, { url, cookie }: Site, path = '/') => {
  await page.context().addCookies(cookiesOf(cookie).map((one) => ({ ...one, url })));
  return page.goto(url + path);
};

/** Errors of the page and requests to anywhere else. */
function watch(page: Page, { url }: Site): string[] {
  const wrong: string[] = [];
  page.on('pageerror', (error) => wrong.push(error.message));
  page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()));
  page.on('request', (request) => request.url().startsWith(url) || wrong.push(request.url()));
  return wrong;
}
const row = (page: Page, index: number) => page.locator(`[data-vps="${ids[index]}"]`);
const largeRow = (page: Page, index: number) => page.locator(`[data-vps="${largeFleetId(index)}"]`);
const shownIds = (page: Page) =>
  page.locator('[data-vps]').evaluateAll((rows) => rows.map((one) => one.getAttribute('data-vps')));

test('the fleet page says how the fleet is, trouble first, with shape, word and circuit', async ({ page }) => {
  const wrong = watch(page, site);
  await visit(page, site);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(
    '1 of 4 VPSs are healthy. 1 is unreachable, 1 is unhealthy, 1 is under maintenance; 2 circuits are open.',
  );
  const filters = page.getByRole('navigation', { name: 'Filter by status' });
  await expect(filters).toContainText(/Unreachable 1\s+Unhealthy 1\s+Maintenance 1\s+Healthy 1\s+Circuit open 2/);
  await expect(row(page, 1)).toContainText('Unhealthy');
  await expect(row(page, 1)).toContainText(/Open · trial in \d+ min/);
  await expect(row(page, 1)).toContainText('service not active: failed (exit-code)');
  await expect(row(page, 1).getByRole('img')).toHaveAccessibleName(/last \d+ checks: .*\d+ unhealthy/);
  await expect(row(page, 0)).toContainText(/Healthy.*Closed.*\d+ s ago/);
  await expect(row(page, 3)).toContainText('Maintenance');
  await expect(row(page, 2)).toContainText('Unreachable');
  await expect(row(page, 2)).toContainText('Open · until SSH works');
  await expect(row(page, 2)).toContainText('no answer within 0.5 s (handshake)');
  expect((await shownIds(page)).slice(0, 2)).toEqual([ids[2], ids[1]]);
  expect((await shownIds(page)).at(-1)).toBe(ids[0]);
  expect(wrong).toEqual([]);
});

test('status, search and order are in the address, which leads back to them', async ({ page }) => {
  const wrong = watch(page, large);
  await visit(page, large);
  const filters = page.getByRole('navigation', { name: 'Filter by status' });
  await expect(filters.getByRole('link', { name: 'All 400' })).toHaveAttribute('aria-current', 'page');
  await filters.getByRole('link', { name: 'Unreachable 40' }).click();
  await expect(page).toHaveURL(/\?status=down$/);
  await expect(page.getByRole('table')).toHaveAttribute('aria-rowcount', '41');
  await page.getByRole('columnheader', { name: 'Customer' }).getByRole('link').click();
  await expect(largeRow(page, 9)).toHaveAttribute('aria-rowindex', '2');
  await page.getByRole('columnheader', { name: 'Customer' }).getByRole('link').click();
  await expect(page).toHaveURL(/\?status=down&sort=-customer$/);
  await expect(page.getByRole('columnheader', { name: 'Customer' })).toHaveAttribute('aria-sort', 'descending');
  await expect(largeRow(page, 399)).toHaveAttribute('aria-rowindex', '2');
  // The key that the box itself names; the row follows while it is typed.
  await page.keyboard.press('/');
  await page.keyboard.type('customer 012');
  await expect(page.getByRole('table')).toHaveAttribute('aria-rowcount', '2');
  await expect(page).toHaveURL(/\?status=down&q=customer\+012&sort=-customer$/);
  await page.reload();
  await expect(page.getByRole('searchbox')).toHaveValue('customer 012');
  await expect(largeRow(page, 129)).toBeVisible();
  await page.getByRole('searchbox').fill('nobody');
  await expect(page.getByText('No VPS has “nobody” in its customer, host or labels here.')).toBeVisible();
  await page.getByRole('link', { name: 'Show the whole fleet' }).click();
  // SvelteKit follows a click after the next frame: what is done within that time would be overtaken.
  await expect(page).toHaveURL(/\/\?sort=-customer$/);
  await page.getByLabel('Sort by').selectOption('Slowest response');
  await expect(page).toHaveURL(/sort=response/);
  expect(wrong).toEqual([]);
});

test('a long list has few rows in the page, and each of them when it is wanted', async ({ page }) => {
  const wrong = watch(page, large);
  await visit(page, large, '/?sort=customer');
  await page.mouse.wheel(0, 64 * 200);
  await expect(largeRow(page, 200)).toBeInViewport();
  await expect(largeRow(page, 200)).toContainText(customerOf(200));
  expect(await page.locator('[data-index]').count()).toBeLessThan(60);
  await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
  await expect(largeRow(page, 399)).toBeInViewport();
  expect(wrong).toEqual([]);
});

test('the keyboard alone walks through the list, selects, and opens a VPS', async ({ page }) => {
  await visit(page, large, '/?sort=customer');
  await page.keyboard.press('/');
  await expect(page.getByRole('searchbox')).toBeFocused();
  await page.keyboard.press('ArrowDown');
  const link = (index: number) => largeRow(page, index).getByRole('link');
  await expect(link(0)).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowUp');
  await expect(link(1)).toBeFocused();
  await page.keyboard.press('Space');
  await expect(largeRow(page, 1).getByRole('checkbox')).toBeChecked();
  await page.keyboard.press('End');
  await expect(link(399)).toBeFocused();
  await expect(link(399)).toBeInViewport();
  await page.keyboard.press('Home');
  await expect(link(0)).toBeFocused();
  await expect(largeRow(page, 1).getByRole('checkbox')).toBeChecked();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(`${large.url}/vps/${largeFleetId(0)}`);
});

test('a selection outlasts what is read anew, and not the filter it was made under', async ({ page }) => {
  await visit(page, site);
  await row(page, 0).getByRole('checkbox').check();
  await expect(page.getByText('1 selected')).toBeVisible();
  for (let reading = 0; reading < 2; reading++) await page.waitForResponse(/__data\.json/);
  await expect(row(page, 0).getByRole('checkbox')).toBeChecked();
  await page.getByRole('searchbox').fill('c1@');
  await expect(row(page, 0)).toBeHidden();
  await expect(page.getByText('1 selected')).toBeHidden();
});

const selectBy = (page: Page, index: number) => largeRow(page, index).getByRole('checkbox').check();
for (const javaScriptEnabled of [true, false])
  test.describe(javaScriptEnabled ? 'with JavaScript' : 'without JavaScript', () => {
    test.use({ javaScriptEnabled });
    test('several VPSs are acted on at once, and the page says what was done', async ({ page }) => {
      await visit(page, large, '/?sort=customer&q=customer+000');
      for (const index of [1, 2]) await selectBy(page, index);
      if (javaScriptEnabled) await expect(page.getByText('2 selected')).toBeVisible();
      await page.getByRole('button', { name: 'Pause healing' }).click();
      await expect(page.getByText('Healing of 2 VPSs pauses')).toBeVisible();
      await expect(largeRow(page, 2)).toContainText('healing paused');
      for (const index of [2, 3]) await selectBy(page, index);
      await page.getByRole('button', { name: 'Pause healing' }).click();
      await expect(page.getByText('1 VPS left out: paused already')).toBeVisible();
      for (const index of [1, 2, 3]) await selectBy(page, index);
      await page.getByRole('button', { name: 'Resume healing' }).click();
      await expect(page.getByText('Healing of 3 VPSs goes on.')).toBeVisible();
      await expect(largeRow(page, 2)).not.toContainText('healing paused');
      await selectBy(page, 4);
      await page.getByRole('button', { name: 'Begin maintenance' }).click();
      await expect(largeRow(page, 4)).toContainText(/Maintenance.*maintenance ends in 59 min/);
      await selectBy(page, 4);
      await page.getByRole('button', { name: 'End maintenance' }).click();
      await expect(largeRow(page, 4)).not.toContainText('Maintenance');
      if (javaScriptEnabled) await expect(page.getByRole('button', { name: 'Pause healing' })).toBeHidden();
    });
  });

for (const javaScriptEnabled of [true, false])
  test.describe(javaScriptEnabled ? 'with JavaScript' : 'without JavaScript', () => {
    test.use({ javaScriptEnabled });
    test('labels filter and part the list, and what they find is acted on as a whole', async ({ page }) => {
      await visit(page, large, '/?sort=customer');
      await page.getByLabel('Only with the label').selectOption('region=fsn1');
      if (!javaScriptEnabled) await page.getByRole('button', { name: 'Show', exact: true }).click();
      const chip = page.getByRole('link', { name: 'Without the label region=fsn1' });
      await expect(chip).toBeVisible();
      await expect(largeRow(page, 1)).toBeHidden();
      await page.getByLabel('Group by').selectOption('provider');
      if (!javaScriptEnabled) await page.getByRole('button', { name: 'Show', exact: true }).click();
      const groups = page.getByRole('region', { name: 'Groups' });
      await expect(groups.getByRole('listitem').filter({ hasText: 'hetzner' })).toContainText('34');
      await expect(groups.getByRole('listitem').filter({ hasText: 'ovh' })).toContainText('66');
      if (javaScriptEnabled) {
        await selectBy(page, 0);
        await page.getByRole('button', { name: 'Select all 100' }).click();
        await expect(page.getByText('100 selected')).toBeVisible();
      } else await page.getByLabel('all 100').check();
      await page.getByRole('button', { name: 'Pause healing' }).click();
      await expect(page.getByText('Healing of 100 VPSs pauses')).toBeVisible();
      await groups.getByRole('link', { name: 'ovh' }).click();
      await expect(page.getByRole('link', { name: 'Without the label provider=ovh' })).toBeVisible();
      await chip.click();
      await expect(chip).toBeHidden();
      await visit(page, large, '/?label=region%3Dfsn1');
      if (javaScriptEnabled) {
        await selectBy(page, 0);
        await page.getByRole('button', { name: 'Select all 100' }).click();
      } else await page.getByLabel('all 100').check();
      await page.getByRole('button', { name: 'Resume healing' }).click();
      await expect(page.getByText('Healing of 100 VPSs goes on.')).toBeVisible();
    });
  });

test('the first page needs 120 KB of script at most', async ({ page }, testInfo) => {
  const scripts: Promise<Buffer>[] = [];
  const onResponse = (response: Response): void => {
    if (response.request().resourceType() === 'script' || response.url().endsWith('.js')) scripts.push(response.body());
  };
  page.on('response', onResponse);
  await visit(page, site);
  // What is fetched ahead for other pages is none of the first scripts, and may come when the test has ended.
  page.off('response', onResponse);
  const bytes = (await Promise.all(scripts)).reduce((sum, body) => sum + gzipSync(body).length, 0);
  testInfo.annotations.push({ type: 'script', description: `${(bytes / 1024).toFixed(1)} KB gzip` });
  console.log(`initial scripts of the fleet page: ${(bytes / 1024).toFixed(1)} KB gzip in ${scripts.length} files`);
  expect(scripts.length).toBeGreaterThan(3);
  expect(bytes).toBeLessThanOrEqual(MOST_SCRIPT_BYTES);
});

test('the search keeps a width that can be typed in, on a line of its own where there is no other room', async ({
  browser,
}) => {
  for (const javaScriptEnabled of [true, false]) {
    const context = await browser.newContext({ javaScriptEnabled });
    const page = await context.newPage();
    for (const width of [360, 640, 820, 900, 960, 1024, 1100, 1180, 1280, 1440]) {
      await page.setViewportSize({ width, height: 800 });
      await visit(page, large);
      const boxOf = async (locator: Locator) => (await locator.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
      const search = await boxOf(page.getByRole('searchbox'));
      const lastFilter = await boxOf(page.getByRole('link', { name: /^Healthy/ }));
      expect.soft(search.width, `at ${width}`).toBeGreaterThanOrEqual(width < 640 ? 150 : 200);
      const isBelow = search.y >= lastFilter.y + lastFilter.height;
      expect.soft(isBelow || search.x >= lastFilter.x + lastFilter.width, `beside the filters at ${width}`).toBe(true);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect.soft(overflow, `sideways at ${width}`).toBeLessThanOrEqual(0);
    }
    await context.close();
  }
});

test('an empty fleet says how to add the first VPS', async ({ page }) => {
  await visit(page, empty);
  await expect(page.getByRole('heading', { level: 1 })).toContainText('No VPS is watched yet.');
  await expect(page.getByRole('link', { name: 'Add a VPS' })).toHaveAttribute('href', '/vps/new');
  await expect(page.getByText('wardround vps add')).toBeVisible();
});

test('a VPS that is not there is said to be so', async ({ page }) => {
  const response = await visit(page, site, '/vps/nobody');
  expect(response?.status()).toBe(404);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('There is no such VPS');
});

test('the colours are as the system prefers, until they are chosen', async ({ browser }) => {
  for (const javaScriptEnabled of [true, false]) {
    const context = await browser.newContext({ colorScheme: 'light', javaScriptEnabled });
    const page = await context.newPage();
    await visit(page, site, '/?sort=host');
    const background = () => page.locator('body').evaluate((body) => getComputedStyle(body).backgroundColor);
    const light = await background();
    await page.emulateMedia({ colorScheme: 'dark' });
    await expect.poll(background).not.toBe(light);
    await page.getByRole('button', { name: 'Colours: as the system. Switch to light.' }).click();
    await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
    await expect(page).toHaveURL(/\?sort=host$/);
    await expect.poll(background).toBe(light);
    // The server has it in the page, so that nothing flashes.
    await expect
      .poll(async () =>
        (await (await page.request.get(site.url)).text()).includes('<html lang="en" data-theme="light">'),
      )
      .toBe(true);
    await page.getByRole('button', { name: 'Colours: light. Switch to dark.' }).click();
    await page.emulateMedia({ colorScheme: 'light' });
    await expect.poll(background).not.toBe(light);
    await context.close();
  }
});

test.describe('without JavaScript', () => {
  test.use({ javaScriptEnabled: false });
  test('the pages still show the state, and all of a long list', async ({ page }) => {
    await visit(page, site);
    await expect(row(page, 1)).toContainText('Unhealthy');
    await visit(page, large, '/?sort=customer&q=customer');
    await expect(page.locator('[data-vps]')).toHaveCount(100);
    await expect(page.getByText('1 to 100 of 400')).toBeVisible();
    await page.getByRole('link', { name: 'Next 100' }).click();
    await expect(page).toHaveURL(/\?q=customer&sort=customer&offset=100$/);
    expect((await shownIds(page))[0]).toBe(largeFleetId(100));
    await page.getByRole('link', { name: 'Page 4 of 4' }).click();
    await expect(page.getByText('301 to 400 of 400')).toBeVisible();
    expect((await shownIds(page))[0]).toBe(largeFleetId(300));
    await expect(page.getByRole('link', { name: 'Next 100' })).toBeHidden();
    await page.getByRole('link', { name: 'Previous 100' }).click();
    expect((await shownIds(page))[0]).toBe(largeFleetId(200));
    await page.getByRole('searchbox').fill('customer 0123');
    await page.getByRole('button', { name: 'Show' }).click();
    await expect(page.locator('[data-vps]')).toHaveCount(1);
    await page.getByRole('link', { name: customerOf(123) }).click();
    await expect(page.getByRole('heading', { level: 1 })).toContainText(customerOf(123));
  });
});

test('every page is accessible and fits, in both themes, on phone and desktop', async ({ page }, testInfo) => {
  await visit(page, site);
  await lookAt(page, 'fleet', testInfo);
  await visit(page, empty);
  await lookAt(page, 'fleet-empty', testInfo);
  await visit(page, site, '/vps/nobody');
  await lookAt(page, 'not-found', testInfo);
  await visit(page, large, '/?sort=customer');
  await selectBy(page, 1);
  await lookAt(page, 'fleet-selected', testInfo, { fullPage: false });
});
