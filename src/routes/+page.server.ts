import { error, fail } from '@sveltejs/kit';
import * as z from 'zod/mini';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { actOnMany } from '$lib/fleet-admin/vps-actions';
import { BULK_ACTIONS, bulkInWords, LENGTHS } from '$lib/views/bulk-words';
import { findAllIds } from '$lib/views/fleet-list';
import { recentFleetList } from '$lib/views/recent-fleet';
import { parseFleetQuery } from '$lib/views/fleet-query';
import { listVps } from '$lib/views/fleet-read';
import { readLabelChoices } from '$lib/views/label-read';
import { monitorStatus } from '$lib/monitoring/health-checker';
import { readMonitorState } from '$lib/monitoring/monitor-state';
import { oneOf, tickBox } from '$lib/parsing/fields';
import { parseForm } from '$lib/parsing/form';
import { doneIn, formOf } from './form-fields';
import { seeOther } from './site';
import type { Actions, PageServerLoad } from './$types';

const BulkForm = z.object({
  do: oneOf(BULK_ACTIONS),
  length: z._default(oneOf(LENGTHS), '1h'),
  /** Everything that the query in the address finds, as far as it may be. */
  all: tickBox,
  vps: z.array(z.string()),
});

const DONE = { removed: 'The VPS is out of the fleet. Its customer and the machine itself stay.' };

/** Reads what the last sweep has written; no page ever waits for a check. */
export const load: PageServerLoad = async ({ locals, url, depends, isDataRequest }) => {
  depends('wardround:fleet');
  const app = await defaultApp();
  const now = new Date();
  const actor = guarded(locals.actor);
  if (actor.role === 'customer') {
    // A customer has one VPS and no fleet; without one yet, the account says so.
    const [own] = listVps(app, actor, now);
    seeOther(own ? `/vps/${own.id}` : '/account');
  }
  const query = parseFleetQuery(url.searchParams);
  const monitor = monitorStatus(app);
  const state = readMonitorState(app.db);
  return {
    query,
    fleet: recentFleetList(app, actor, query, { now, isToBeExact: isDataRequest }),
    labels: readLabelChoices(app, actor),
    now,
    monitor,
    // Of this process, and of the last sweep, whichever process it was that swept.
    fault: monitor.trouble ?? state.sweepFault,
    state,
    breaker: app.settings.breaker,
    done: doneIn(url, DONE),
  };
};

export const actions: Actions = {
  bulk: async (event) => {
    const actor = guarded(event.locals.actor);
    if (actor.role !== 'admin') error(403, 'This is for administrators');
    const parsed = parseForm(BulkForm, formOf(event));
    if ('problems' in parsed) return fail(400, { problem: 'Select the VPSs that are meant.' });
    const { do: action, length, all, vps } = parsed.value;
    const app = await defaultApp();
    const now = new Date();
    const vpsIds = all ? findAllIds(app, actor, parseFleetQuery(event.url.searchParams), now) : vps;
    if (vpsIds.length === 0) return fail(400, { problem: 'Select the VPSs that are meant.' });
    const result = await actOnMany(app, actor, { action, length, vpsIds }, now);
    if (result.kind === 'refused') return fail(409, { problem: bulkInWords(result) });
    return { done: bulkInWords(result) };
  },
};
