import { json } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { readFleetRows } from '$lib/views/fleet-list';
import { parseFleetQuery } from '$lib/views/fleet-query';
import type { RequestHandler } from './$types';

/** The rows of the fleet page that it does not have yet. */
export const GET: RequestHandler = async ({ locals, url }) => {
  const actor = guarded(locals.actor);
  return json(readFleetRows(await defaultApp(), actor, parseFleetQuery(url.searchParams), new Date()));
};
