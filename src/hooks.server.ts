import { building, dev } from '$app/environment';
import {
  error,
  redirect,
  type Handle,
  type HandleServerError,
  type RequestEvent,
  type ServerInit,
} from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import type { Asking } from '$lib/auth/asking';
import { judgeAccess } from '$lib/auth/routes';
import { readSession } from '$lib/auth/session';
import { noticeProxy } from '$lib/auth/unnamed-proxy';
import { parseTheme, THEME_COOKIE } from '$lib/components/theme';
import { startHistoryRetention } from '$lib/history/retention';
import { startGracePeriodEnforcer } from '$lib/jobs/grace-period-enforcer';
import { createLog } from '$lib/log';
import { startHealthMonitor } from '$lib/monitoring/health-checker';
import { startDispatcher } from '$lib/notifications/dispatcher';
import { startServer } from '$lib/runtime/server';
import { passOn } from './routes/browser-cookies';
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

export const handle: Handle = async ({ event, resolve }) => {
  if (building) return resolve(event);
  refuseForeignOrigin(event);
  const asking = askingOf(event);
  const app = await defaultApp();
  noticeProxy(app, event.request.headers, asking.address, log);
  const { signedIn, setCookies } = await readSession(app, asking);
  passOn(event.cookies, setCookies);
  event.locals.asking = asking;
  event.locals.signedIn = signedIn;
  event.locals.actor = signedIn?.actor ?? null;
  guard(event);
  event.locals.form = await readPostedForm(event);

  const theme = parseTheme(event.cookies.get(THEME_COOKIE)) ?? 'system';
  const render = async (): Promise<Response> => {
    const response = await resolve(event, {
      transformPageChunk: ({ html }) => html.replace('%wardround.theme%', theme),
    });
    setHeaders(event, response);
    return response;
  };
  return (await sharedAnswer(app, event, theme, render)) ?? render();
};

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
  if (status >= 500) {
    const stack = problem instanceof Error ? (problem.stack ?? problem.message) : String(problem);
    web.error(`${status} for ${event.request.method} ${event.route.id ?? 'an unknown address'}: ${stack}`);
  }
  return { message };
};

const log = createLog('wardround');

const BADGE = '/status/[token]/badge.svg';

const HARMLESS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** SvelteKit's own check is for forms only; a page elsewhere can send JSON too, or claim that it is text. */
function refuseForeignOrigin({ request, url }: RequestEvent): void {
  if (!HARMLESS.has(request.method) && request.headers.get('origin') !== url.origin)
    error(403, `This request did not come from a page at ${url.origin} (setting ORIGIN)`);
}

/** Everybody needs an account, unless `ROUTE_ACCESS` says otherwise. */
function guard({ route, locals, url, request, isDataRequest }: RequestEvent): void {
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
      return redirect(303, from === '/' ? '/sign-in' : `/sign-in?next=${encodeURIComponent(from)}`);
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
