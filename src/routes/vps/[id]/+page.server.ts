import { error } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { listRestartLedger, readVps } from '$lib/fleet-admin/fleet-read';

import type { PageServerLoad } from './$types';

const LEDGER_ROWS = 20;

export const load: PageServerLoad = async ({ locals, params, depends }) => {
  depends('wardround:vps');
  const app = await defaultApp();
  const now = new Date();
  const vps = readVps(app, locals.actor, params.id, now);
  if (!vps) error(404, 'There is no such VPS');
  return {
    vps,
    restarts: listRestartLedger(app, locals.actor, params.id, LEDGER_ROWS),
    now,
    breaker: app.settings.breaker,
  };
};
