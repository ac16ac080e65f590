import { error, isHttpError, isRedirect, type Handle, type RequestEvent } from '@sveltejs/kit';
import { defaultApp, type App } from '$lib/app';
import type { Asking } from '$lib/auth/asking';
import { judgeAccess } from '$lib/auth/routes';
import { hasSessionCookie, readSession } from '$lib/auth/session';
import { noticeProxy } from '$lib/auth/unnamed-proxy';
import { parseTheme, THEME_COOKIE, type Theme } from '$lib/components/theme';
import { createLog } from '$lib/log';
import { errorInWords } from '$lib/views/error-words';
import { passOn } from './browser-cookies';
import { answerTrouble, noteTrouble } from './database-trouble';
import { ERROR_PAGE_POLICY, errorPage, finishErrorPage, reportFault, wantsPage } from './error-page';
import { forgetKept, keepForm, keptFor } from './kept-form';
import { readPostedForm } from './posted-form';
import { sharedAnswer } from './shared-answers';
import { placeOf, seeOther } from './site';

type Resolve = Parameters<Handle>[0]['resolve'];

/** Every request: who asks, whether they may, and what they get, which is a page of the product also when it is refused. */
export async function answer(event: RequestEvent, resolve: Resolve): Promise<Response> {
  const theme = parseTheme(event.cookies.get(THEME_COOKIE)) ?? 'system';
  try {
    return await judgeAndRender(event, resolve, theme);
  } catch (thrown) {
    if (isRedirect(thrown) || !wantsPage(event)) throw thrown;
    const isOurs = !isHttpError(thrown);
    if (isOurs) reportFault(thrown, event, 500);
    const page = isOurs ? errorPage(500, {}, theme) : errorPage(thrown.status, thrown.body, theme);
    setHeaders(event, page);
    return page;
  }
}

async function judgeAndRender(event: RequestEvent, resolve: Resolve, theme: Theme): Promise<Response> {
  refuseForeignOrigin(event);
  const asking = askingOf(event);
  const app = await defaultApp();
  noticeProxy(app, event.request.headers, asking.address, log);
  const session = await readSession(app, asking).catch((thrown: unknown) => {
    if (noteTrouble(event, thrown) === null) throw thrown;
    return null;
  });
  if (event.locals.trouble) {
    const page = answerTrouble(event, event.locals.trouble, { rendered: null, theme });
    setHeaders(event, page);
    return page;
  }
  const { signedIn, setCookies } = session ?? { signedIn: null, setCookies: [] };
  passOn(event.cookies, setCookies);
  event.locals.asking = asking;
  event.locals.signedIn = signedIn;
  event.locals.actor = signedIn?.actor ?? null;
  await guard(app, event);
  event.locals.form = await readPostedForm(event);
  if (event.locals.form !== null && keptFor(app, event.cookies, event.url)) forgetKept(event.cookies);

  const render = async (): Promise<Response> => {
    const resolved = await resolve(event, {
      transformPageChunk: ({ html }) => html.replace('%wardround.theme%', theme),
    });
    const { trouble } = event.locals;
    const response = trouble ? answerTrouble(event, trouble, { rendered: resolved, theme }) : resolved;
    setHeaders(event, response);
    return response.status < 400 || !wantsPage(event) ? response : finished(response, theme);
  };
  return (await sharedAnswer(app, event, theme, render)) ?? render();
}

/** SvelteKit falls back on `error.html` where the frame of all pages cannot be made. */
async function finished(response: Response, theme: Theme): Promise<Response> {
  const { text } = errorInWords(response.status, {});
  const html = finishErrorPage(await response.text(), text, theme);
  response.headers.delete('content-length');
  if (!response.headers.has('content-security-policy'))
    response.headers.set('content-security-policy', ERROR_PAGE_POLICY);
  return new Response(html, { status: response.status, headers: response.headers });
}

const BADGE = '/status/[token]/badge.svg';

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

const log = createLog('wardround');

const HARMLESS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** SvelteKit's own check is for forms only; a page elsewhere can send JSON too, or claim that it is text. */
function refuseForeignOrigin({ request, url }: RequestEvent): void {
  if (!HARMLESS.has(request.method) && request.headers.get('origin') !== url.origin)
    error(403, `This request did not come from a page at ${url.origin} (setting ORIGIN)`);
}

/** Everybody needs an account, unless `ROUTE_ACCESS` says otherwise. */
async function guard(app: App, event: RequestEvent): Promise<void> {
  const { route, locals, request, isDataRequest } = event;
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
      return seeOther(await signInAddress(app, event));
    }
  }
}

/** Leads back afterwards; a form that was sent after its session had ended is kept until then. */
async function signInAddress(app: App, event: RequestEvent): Promise<string> {
  const from = placeOf(event.url);
  const form = hasSessionCookie(event.locals.asking) ? await readPostedForm(event) : null;
  const search = new URLSearchParams({
    ...(from === '/' ? {} : { next: from }),
    ...(form === null ? {} : { done: keepForm(app, event, form) ? 'ended-kept' : 'ended' }),
  }).toString();
  return search === '' ? '/sign-in' : `/sign-in?${search}`;
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
