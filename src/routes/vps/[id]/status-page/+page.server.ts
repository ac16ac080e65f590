import { error, fail, type RequestEvent } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { changeStatusPage, type StatusPageChange } from '$lib/fleet-admin/status-page';
import { readStatusPage } from '$lib/views/status-page-read';
import { doneIn, fieldsOf } from '../../../form-fields';
import { seeOther } from '../../../site';
import type { Actions, PageServerLoad } from './$types';

const DONE: Record<string, string> = {
  on: 'The page is public now, for whoever has its address.',
  renew: 'The page has another address. The old one leads nowhere.',
  off: 'There is no public page any more.',
};

export const load: PageServerLoad = async ({ locals, params, url }) => {
  const app = await defaultApp();
  const page = readStatusPage(app, guarded(locals.actor), params.id);
  if (page === undefined) error(404, 'There is no such VPS');
  return {
    id: params.id,
    page,
    address: page && `${app.settings.notifications.publicUrl}/status/${page.token}`,
    done: doneIn(url, DONE),
  };
};

async function change({ locals, params }: RequestEvent, wanted: StatusPageChange) {
  const result = await changeStatusPage(await defaultApp(), guarded(locals.actor), params.id ?? '', wanted);
  switch (result.kind) {
    case 'not_found':
      return error(404, 'There is no such VPS');
    case 'refused':
      return fail(400, { problem: result.problem, title: wanted.kind === 'on' ? wanted.title : '' });
    case 'done':
      return seeOther(`/vps/${params.id}/status-page?done=${wanted.kind}`);
  }
}

export const actions: Actions = {
  on: async (event) => change(event, { kind: 'on', title: fieldsOf(event, 'title').title }),
  renew: (event) => change(event, { kind: 'renew' }),
  off: (event) => change(event, { kind: 'off' }),
};
