import { json, type RequestEvent } from '@sveltejs/kit';
import type { Theme } from '$lib/components/theme';
import { databaseTrouble } from '$lib/db/trouble';
import { createLog, messageOf } from '$lib/log';
import { errorPage, wantsPage } from './error-page';

const log = createLog('web');

/** The database cannot serve now; it will. */
const STATUS = 503;

/**
 * Whether it is the database that could not serve a request: then that is logged, and noted for `answerTrouble`.
 * Returns what the page is to say, or null where the fault is another one.
 */
export function noteTrouble(event: RequestEvent, thrown: unknown): App.Error | null {
  const trouble = databaseTrouble(thrown);
  if (trouble === null) return null;
  log.error(`${event.request.method} ${event.url.pathname}: ${trouble.title} (${messageOf(thrown)})`);
  const text = `What you asked for may not have been done. ${trouble.remedy}`;
  return (event.locals.trouble = { message: trouble.title, text, status: STATUS });
}

/**
 * The answer of every page, action and method where the database could not serve. `rendered` is what SvelteKit has made
 * of it, if it got that far: an error page within the layout is kept, anything else becomes the plain one.
 */
export function answerTrouble(
  event: RequestEvent,
  trouble: App.Error,
  { rendered, theme }: { readonly rendered: Response | null; readonly theme: Theme },
): Response {
  // As a form with scripts reads it: without a type it would do nothing at all.
  if (event.request.headers.get('x-sveltekit-action') === 'true')
    return json({ type: 'error', error: trouble }, { status: STATUS });
  // Only what is rendered within the layout has a policy. Data is not kept: the browser then loads the page instead.
  if (rendered?.headers.has('content-security-policy') && !event.isDataRequest)
    return new Response(rendered.body, { status: STATUS, headers: rendered.headers });
  return wantsPage(event) ? errorPage(STATUS, trouble, theme) : json(trouble, { status: STATUS });
}
