import { fail } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { maySign } from '$lib/fleet-admin/authority';
import { addNotReady, boardVps, NOT_TRIED } from '$lib/fleet-admin/board';
import { sharedKeyOf } from '$lib/fleet-admin/shared-key';
import { RefusedError } from '$lib/fleet-admin/the-vps';
import { checkNow } from '$lib/fleet-admin/vps-actions';
import { inForm } from '$lib/parsing/problems';
import { seeOther } from '../../site';
import { readNewVps } from './new-vps-form';
import type { Actions, PageServerLoad } from './$types';

export const load: PageServerLoad = async () => {
  const app = await defaultApp();
  return {
    service: app.settings.monitoredService,
    sharedKey: sharedKeyOf(app.db)?.publicKey ?? null,
    certifies: maySign(app),
  };
};

export const actions: Actions = {
  default: async (event) => {
    const { parsed, typed, isGenerated, notReady } = await readNewVps(event);
    const nothing = { typed, problems: {}, refused: null, outcomes: null };
    if ('problems' in parsed) return fail(400, { ...nothing, problems: inForm(parsed.problems) });
    const app = await defaultApp();
    const actor = guarded(event.locals.actor);
    let id: string;
    let done = 'generated';
    try {
      if (isGenerated || parsed.vps.byCertificate) {
        const why = NOT_TRIED[isGenerated ? 'generated' : 'certificate'];
        ({ id } = await addNotReady(app, actor, parsed.vps, why));
        if (!isGenerated) done = 'certificate';
      } else {
        const { added, passed, outcomes } = await boardVps(app, actor, parsed.vps, { notReady });
        if (added === null) return fail(422, { ...nothing, outcomes });
        ({ id } = added);
        done = passed ? 'added' : 'added-not-ready';
        if (passed) await checkNow(app, actor, [id]);
      }
    } catch (problem) {
      if (!(problem instanceof RefusedError)) throw problem;
      return fail(409, { ...nothing, refused: `Not added: ${problem.message}.` });
    }
    seeOther(`/vps/${id}?done=${done}`);
  },
};
