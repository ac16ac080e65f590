import { error } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { boardVps } from '$lib/fleet-admin/board';
import { checkNow } from '$lib/fleet-admin/vps-actions';
import { streamPreflight } from '../../../preflight-stream';
import { readNewVps } from '../new-vps-form';
import type { RequestHandler } from './$types';

/** The form of a new VPS, answered step by step. What is wrong with the form itself is said by the page, to which it goes then. */
export const POST: RequestHandler = async (event) => {
  const { parsed, isGenerated, notReady } = await readNewVps(event);
  if ('problems' in parsed || isGenerated) error(400, 'This form is for the page itself');
  const app = await defaultApp();
  const actor = guarded(event.locals.actor);
  return streamPreflight(async (watcher) => {
    const { added, passed } = await boardVps(app, actor, parsed.vps, { ...watcher, notReady });
    if (added !== null && passed) await checkNow(app, actor, [added.id]);
    return { passed, href: added === null ? null : `/vps/${added.id}?done=${passed ? 'added' : 'added-not-ready'}` };
  });
};
