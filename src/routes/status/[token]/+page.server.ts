import { error } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { readPublicStatus } from '$lib/views/status-page-read';
import type { PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ params, setHeaders }) => {
  const now = new Date();
  const status = readPublicStatus(await defaultApp(), params.token, now);
  if (!status) error(404, 'There is no such status page');
  // Its address is known to those who were given it, and to nobody else.
  setHeaders({ 'x-robots-tag': 'noindex, nofollow' });
  return { status, now };
};
