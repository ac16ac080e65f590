import { error } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { readIncidentPage } from '$lib/views/incident-page-read';
import type { PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ locals, params, depends }) => {
  depends('wardround:incident');
  const now = new Date();
  const view = readIncidentPage(await defaultApp(), guarded(locals.actor), params.id, now);
  if (!view) error(404, 'There is no such incident');
  return { view, now };
};
