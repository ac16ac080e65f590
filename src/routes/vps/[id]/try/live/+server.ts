import { error } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { tryVps } from '$lib/fleet-admin/board';
import { readVps } from '$lib/views/fleet-read';
import { streamPreflight } from '../../../../preflight-stream';
import type { RequestHandler } from './$types';

/** The preflight of a VPS of the fleet, step by step. */
export const POST: RequestHandler = async ({ locals, params }) => {
  const app = await defaultApp();
  const actor = guarded(locals.actor);
  if (!readVps(app, actor, params.id, new Date())) error(404, 'There is no such VPS');
  return streamPreflight(async (watcher) => ({ ...(await tryVps(app, actor, params.id, watcher)), href: null }));
};
