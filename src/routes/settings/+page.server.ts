import { error, fail } from '@sveltejs/kit';
import * as z from 'zod/mini';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { lastExamination } from '$lib/doctor/last-examination';
import { readSettings } from '$lib/views/settings-read';
import { thresholdsOf } from '$lib/views/threshold-words';
import { acceptOutage, setHealing } from '$lib/monitoring/monitor-state';
import { CHANNEL_NAMES } from '$lib/facts/message';
import { retryFailed } from '$lib/notifications/outbox-upkeep';
import { startTest } from '$lib/notifications/test-runs';
import { called, oneOf, orNull, plainText } from '$lib/parsing/fields';
import { parseForm } from '$lib/parsing/form';
import { inForm } from '$lib/parsing/problems';
import { doneIn, formOf, posted } from '../form-fields';
import { seeOther } from '../site';
import type { Actions, PageServerLoad } from './$types';

const DONE: Record<string, string> = {
  healingOn: 'Healing is on: stopped services are restarted.',
  healingOff: 'Healing is off. Checks go on, and nothing is restarted.',
  outage: 'Accepted: the next sweep counts.',
  retry: 'What had failed waits to be sent again.',
};
const TestForm = z.object({ channel: oneOf(CHANNEL_NAMES) });
const PauseForm = z.object({
  reason: orNull(called(plainText(200), { description: 'a reason of up to 200 printable characters', ask: 'Give' })),
});

export const load: PageServerLoad = async ({ locals, url, depends }) => {
  depends('wardround:settings');
  const app = await defaultApp();
  const now = new Date();
  const view = readSettings(app, guarded(locals.actor));
  if (!view) error(403, 'This page is for administrators');
  return {
    ...view,
    email: guarded(locals.signedIn).user.email,
    thresholds: thresholdsOf(app.settings),
    examination: lastExamination(app, now),
    done: doneIn(url, DONE),
    now,
  };
};

export const actions: Actions = {
  test: async (event) => {
    const { channel } = posted(event, TestForm);
    const { actor, user } = guarded(event.locals.signedIn);
    startTest(await defaultApp(), actor, channel, user.email, new Date());
    seeOther('/settings#channels');
  },
  healingOn: async ({ locals }) => {
    await setHealing((await defaultApp()).db, guarded(locals.actor), 'on');
    seeOther('/settings?done=healingOn');
  },
  healingOff: async (event) => {
    const parsed = parseForm(PauseForm, formOf(event));
    if ('problems' in parsed) return fail(400, { refused: inForm(parsed.problems).reason });
    await setHealing((await defaultApp()).db, guarded(event.locals.actor), 'off', parsed.value);
    seeOther('/settings?done=healingOff');
  },
  outage: async ({ locals }) => {
    if (!(await acceptOutage((await defaultApp()).db, guarded(locals.actor))))
      return fail(409, { refused: 'There is no outage any more; nothing was changed.' });
    seeOther('/settings?done=outage');
  },
  retry: async ({ locals }) => {
    await retryFailed((await defaultApp()).db, guarded(locals.actor), null, new Date());
    seeOther('/settings?done=retry');
  },
};
