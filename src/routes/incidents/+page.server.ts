import { fail } from '@sveltejs/kit';
import * as z from 'zod/mini';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { RefusedError } from '$lib/fleet-admin/the-vps';
import { readVps } from '$lib/views/fleet-read';
import { acknowledgeIncident } from '$lib/fleet-admin/incident-admin';
import { filterOf, PAGE_ROWS, parseIncidentQuery, searchOf } from '$lib/views/incident-query';
import { listCauses, listIncidents, sumIncidents } from '$lib/views/incident-read';
import { madeUpUntil } from '$lib/views/made-up';
import { anyText } from '$lib/parsing/fields';
import { posted } from '../form-fields';
import { seeOther } from '../site';
import type { Actions, PageServerLoad } from './$types';

const AcknowledgeForm = z.object({ id: z.string(), then: anyText });

export const load: PageServerLoad = async ({ locals, url, depends }) => {
  depends('wardround:incidents');
  const app = await defaultApp();
  const actor = guarded(locals.actor);
  const causes = listCauses(app, actor);
  const asked = parseIncidentQuery(url.searchParams);
  // The form could not show a cause that nothing began with.
  const query = { ...asked, cause: asked.cause !== null && causes.includes(asked.cause) ? asked.cause : null };
  const filter = filterOf(query);
  return {
    query,
    incidents: listIncidents(app, actor, { ...filter, limit: PAGE_ROWS, offset: (query.page - 1) * PAGE_ROWS }),
    sums: sumIncidents(app, actor, filter),
    /** Whatever the filter says. */
    open: sumIncidents(app, actor, { open: true }).total,
    vpsName: query.vps === null ? null : (readVps(app, actor, query.vps, new Date())?.customer ?? 'a removed VPS'),
    causes,
    madeUpUntil: madeUpUntil(app),
    now: new Date(),
  };
};

export const actions: Actions = {
  acknowledge: async (event) => {
    const { id, then } = posted(event, AcknowledgeForm);
    try {
      await acknowledgeIncident(await defaultApp(), guarded(event.locals.actor), id, new Date());
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      return fail(409, { problem: `Not acknowledged: ${error.message}.` });
    }
    const back = searchOf(parseIncidentQuery(event.url.searchParams));
    seeOther(then === 'incident' ? `/incidents/${encodeURIComponent(id)}` : `/incidents${back}`);
  },
};
