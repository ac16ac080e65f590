import { building, dev } from '$app/environment';
import {
  error,
  isHttpError,
  isRedirect,
  redirect,
  type Handle,
  type HandleServerError,
  type RequestEvent,
  type ServerInit,
} from '@sveltejs/kit';
import { defaultApp, type App } from '$lib/app';
import type { Asking } from '$lib/auth/asking';
import { judgeAccess } from '$lib/auth/routes';
import { hasSessionCookie, readSession } from '$lib/auth/session';
import { noticeProxy } from '$lib/auth/unnamed-proxy';
import { parseTheme, THEME_COOKIE, type Theme } from '$lib/components/theme';
import { startHistoryRetention } from '$lib/history/retention';
import { startGracePeriodEnforcer } from '$lib/jobs/grace-period-enforcer';
import { createLog } from '$lib/log';
import { startHealthMonitor } from '$lib/monitoring/health-checker';
import { startDispatcher } from '$lib/notifications/dispatcher';
import { startServer } from '$lib/runtime/server';
import { errorInWords } from '$lib/views/error-words';
import { passOn } from './routes/browser-cookies';
import { errorPage, finishErrorPage } from './routes/error-page';
import { forgetKept, keepForm, keptFor } from './routes/kept-form';
import { readPostedForm } from './routes/posted-form';
import { sharedAnswer } from './routes/shared-answers';

// Runs at the start of a built server, at the first request in dev (and again after an edit), and at build time whenever
// a page is prerendered: a build has no business with the fleet.
export const init: ServerInit = async () => {
  if (building) return;
  await startServer(
    async (server) => {
      const { app } = server;
      if (app.settings.monitorEnabled) server.own(await startHealthMonitor(app));
      else log.info('health monitor is off (ENABLE_HEALTH_MONITOR=true starts it)');
      server.own(startDispatcher(app));
      server.own(startHistoryRetention(app));
      server.own(startGracePeriodEnforcer(app));
    },
    { exitAfterStop: dev },
  );
};

export const handle: Handle = async (given) => {
  const { event, resolve } = given;
  if (building) return resolve(event);
  const theme = parseTheme(event.cookies.get(THEME_COOKIE)) ?? 'system';
  try {
    return await answer(given, theme);
  } catch (thrown) {
    if (isRedirect(thrown) || !wantsPage(event)) throw thrown;
    // Whoever is refused before a page is chosen gets one all the same.
    const isOurs = !isHttpError(thrown);
    if (isOurs) reportFault(thrown, event, 500);
    const page = isOurs ? errorPage(500, undefined, theme) : errorPage(thrown.status, thrown.body.message, theme);
    setHeaders(event, page);
    return page;
  }
};

async function answer({ event, resolve }: Parameters<Handle>[0], theme: Theme): Promise<Response> {
  refuseForeignOrigin(event);
  const asking = askingOf(event);
  const app = await defaultApp();
  noticeProxy(app, event.request.headers, asking.address, log);
  const { signedIn, setCookies } = await readSession(app, asking);
  passOn(event.cookies, setCookies);
  event.locals.asking = asking;
  event.locals.signedIn = signedIn;
  event.locals.actor = signedIn?.actor ?? null;
  await guard(app, event);
  event.locals.form = await readPostedForm(event);
  if (event.locals.form !== null && keptFor(app, event.cookies, event.url)) forgetKept(event.cookies);

  const render = async (): Promise<Response> => {
    const response = await resolve(event, {
      transformPageChunk: ({ html }) => html.replace('%wardround.theme%', theme),
    });
    setHeaders(event, response);
    return response.status < 400 || !wantsPage(event) ? response : finished(response, theme);
  };
  return (await sharedAnswer(app, event, theme, render)) ?? render();
}

/** SvelteKit falls back on `error.html` where the frame of all pages cannot be made. */
async function finished(response: Response, theme: Theme): Promise<Response> {
  const html = finishErrorPage(await response.text(), response.status, theme);
  response.headers.delete('content-length');
  return new Response(html, { status: response.status, headers: response.headers });
}

const wantsPage = ({ request, isDataRequest }: RequestEvent): boolean =>
  !isDataRequest &&
  !request.headers.has('x-sveltekit-action') &&
  (request.headers.get('accept') ?? '').includes('text/html');

function setHeaders({ url, route }: RequestEvent, { headers, ok }: Response): void {
  headers.set('x-content-type-options', 'nosniff');
  headers.set('x-frame-options', 'DENY');
  headers.set('referrer-policy', 'same-origin');
  headers.set('permissions-policy', 'camera=(), geolocation=(), microphone=()');
  headers.set('cross-origin-opener-policy', 'same-origin');
  if (url.protocol === 'https:') headers.set('strict-transport-security', 'max-age=31536000');
  if (route.id === BADGE && ok) {
    // The same for everybody, and fetched with each view of the pages that show it; so it carries no one's session.
    headers.delete('set-cookie');
    headers.set('cache-control', 'public, max-age=60');
  } else {
    // Nothing that is made for one person stays in a cache: not in a proxy, nor behind the back button after sign-out.
    headers.set('cache-control', 'private, no-store');
  }
}

const web = createLog('web');

/** Only what is our fault is worth a line: strangers may ask for anything, as often as they like. */
export const handleError: HandleServerError = ({ error: problem, event, status, message }) => {
  if (status >= 500) reportFault(problem, event, status);
  return { message: errorInWords(status, message).title };
};

const rootOf = (problem: unknown): unknown =>
  problem instanceof Error && problem.cause instanceof Error ? rootOf(problem.cause) : problem;

function reportFault(problem: unknown, { request, route }: RequestEvent, status: number): void {
  // At its root: around it stands the query, with values that are nobody's business.
  const root = rootOf(problem);
  const stack = root instanceof Error ? (root.stack ?? root.message) : String(root);
  web.error(`${status} for ${request.method} ${route.id ?? 'an unknown address'}: ${stack}`);
}

const log = createLog('wardround');

const BADGE = '/status/[token]/badge.svg';

const HARMLESS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** SvelteKit's own check is for forms only; a page elsewhere can send JSON too, or claim that it is text. */
function refuseForeignOrigin({ request, url }: RequestEvent): void {
  if (!HARMLESS.has(request.method) && request.headers.get('origin') !== url.origin)
    error(403, `This request did not come from a page at ${url.origin} (setting ORIGIN)`);
}

/** Everybody needs an account, unless `ROUTE_ACCESS` says otherwise. */
async function guard(app: App, event: RequestEvent): Promise<void> {
  const { route, locals, url, request, isDataRequest } = event;
  // No such page: whoever asks is told so.
  if (route.id === null) return;
  const verdict = judgeAccess(route.id, locals.actor);
  switch (verdict) {
    case 'allowed':
      return;
    case 'unlisted':
      return error(500, `The route ${route.id} is not in ROUTE_ACCESS`);
    case 'forbidden':
      return error(403, 'This page is for administrators');
    case 'sign in': {
      const isPage = isDataRequest || /text\/html|\*\/\*/.test(request.headers.get('accept') ?? '*/*');
      if (!isPage) error(401, 'Sign in first');
      const from = url.pathname + url.search;
      const next = from === '/' ? '' : `next=${encodeURIComponent(from)}`;
      const form = hasSessionCookie(locals.asking) ? await readPostedForm(event) : null;
      const done = form === null ? '' : `done=${keepForm(app, event, form) ? 'ended-kept' : 'ended'}`;
      const search = [next, done].filter((part) => part !== '').join('&');
      return redirect(303, search === '' ? '/sign-in' : `/sign-in?${search}`);
    }
  }
}

const askingOf = (event: RequestEvent): Asking => ({
  address: addressOf(event),
  userAgent: event.request.headers.get('user-agent') ?? '',
  cookie: event.request.headers.get('cookie') ?? '',
});

/** With ADDRESS_HEADER set, a request that came around the proxy has no address, and adapter-node throws. */
function addressOf(event: RequestEvent): string | null {
  try {
    return event.getClientAddress();
  } catch {
    return null;
  }
}
