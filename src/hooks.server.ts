import { building, dev } from '$app/environment';
import { error, type Handle, type ServerInit } from '@sveltejs/kit';
import { LOCAL_OPERATOR } from '$lib/auth/actor';
import { isLocalRequest } from '$lib/auth/loopback';
import { bootServer } from '$lib/boot';

// Runs at the start of a built server, at the first request in dev (and again after an edit), and at build time whenever
// a page is prerendered: a build has no business with the fleet.
export const init: ServerInit = async () => {
  if (!building) await bootServer({ exitAfterStop: dev });
};

export const handle: Handle = async ({ event, resolve }) => {
  // There are no accounts yet, so whoever may see a page is at the machine itself.
  if (
    !building &&
    !isLocalRequest(event.getClientAddress(), requestedHost(event.request, event.url), event.request.headers)
  )
    error(
      403,
      'Wardround answers on this machine only. From elsewhere, use a tunnel: ssh -L 3000:127.0.0.1:3000 SERVER',
    );
  event.locals.actor = LOCAL_OPERATOR;
  const response = await resolve(event);
  response.headers.set('x-content-type-options', 'nosniff');
  response.headers.set('x-frame-options', 'DENY');
  response.headers.set('referrer-policy', 'same-origin');
  return response;
};

/** `event.url` may come from ORIGIN; the name that the browser asked for stands in `Host`. */
const requestedHost = (request: Request, url: URL): string => {
  const host = request.headers.get('host');
  return host === null ? url.hostname : (URL.parse(`http://${host}`)?.hostname ?? '');
};
