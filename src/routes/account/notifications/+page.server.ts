import { fail, type RequestEvent } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { CHANNEL_WORDS } from '$lib/notifications/wording/kind-words';
import type { ChannelName } from '$lib/facts/message';
import { ChannelForm, readChoices, saveChannel } from '$lib/notifications/preferences-form';
import { findUser } from '$lib/notifications/preferences';
import { inForm } from '$lib/parsing/problems';
import { posted } from '../../form-fields';
import { seeOther } from '../../site';
import type { Actions, PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ locals, url }) => {
  const app = await defaultApp();
  const { actor, user } = guarded(locals.signedIn);
  const owner = guarded(findUser(app, actor, user.email));
  const done = url.searchParams.get('done') ?? '';
  return {
    email: user.email,
    choices: readChoices(app, actor, owner),
    done: Object.hasOwn(CHANNEL_WORDS, done)
      ? `Saved what we tell you by ${CHANNEL_WORDS[done as ChannelName]}.`
      : null,
  };
};

async function save(event: RequestEvent, channel: ChannelName) {
  const app = await defaultApp();
  const { actor, user } = guarded(event.locals.signedIn);
  const form = posted(event, ChannelForm);
  const owner = guarded(findUser(app, actor, user.email));
  const problems = await saveChannel(app, actor, { user: owner, channel, now: new Date() }, form);
  const { enabled, kind, address } = form;
  if (problems.length > 0)
    return fail(400, { channel, problems: inForm(problems), typed: { enabled, kinds: kind, address } });
  seeOther(`/account/notifications?done=${channel}`);
}

export const actions: Actions = {
  email: (event) => save(event, 'email'),
  telegram: (event) => save(event, 'telegram'),
  webhook: (event) => save(event, 'webhook'),
};
