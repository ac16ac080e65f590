import { error } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { listRestartLedger, readVps } from '$lib/fleet-admin/fleet-read';
import { askedFor } from '$lib/monitoring/on-demand';
import type { PageServerLoad } from './$types';

const LEDGER_ROWS = 20;

export const load: PageServerLoad = async ({ locals, params, url, depends }) => {
  depends('wardround:vps');
  const app = await defaultApp();
  const now = new Date();
  const actor = guarded(locals.actor);
  const vps = readVps(app, actor, params.id, now);
  if (!vps) error(404, 'There is no such VPS');
  return {
    vps,
    isAdmin: actor.role === 'admin',
    asked: askedFor(params.id),
    done: url.searchParams.get('done'),
    restarts: listRestartLedger(app, actor, params.id, LEDGER_ROWS),
    now,
    breaker: app.settings.breaker,
  };
};
