import { fail, type RequestEvent } from '@sveltejs/kit';
import * as z from 'zod/mini';
import { defaultApp, type App } from '$lib/app';
import { changeRole } from '$lib/auth/accounts';
import { guarded, type Actor } from '$lib/auth/actor';
import { inviteUser } from '$lib/auth/password';
import { addUser, endAllSessions, listUsers, removeUser, setDisabled, type UserChange } from '$lib/auth/users';
import { anyText, oneOf } from '$lib/parsing/fields';
import { inForm } from '$lib/parsing/problems';
import { doneIn, fieldsOf, posted } from '../../form-fields';
import { seeOther } from '../../site';
import type { Actions, PageServerLoad } from './$types';

const DONE: Record<string, string> = {
  role: 'The role is changed. All sessions of that account have ended.',
  disable: 'The account is disabled, and signed out everywhere.',
  enable: 'The account may sign in again.',
  sessions: 'The account is signed out everywhere.',
  remove: 'The account is gone.',
};
const REFUSED: Record<Exclude<UserChange['kind'], 'changed'>, string> = {
  not_found: 'There is no such account any more.',
  last_admin: 'This is the last administrator who can sign in. Make someone else one first.',
  yourself: 'Not your own account: you would lock yourself out.',
  has_vps: 'A VPS belongs to this account. Remove that from the fleet first.',
};

export const load: PageServerLoad = async ({ locals, url }) => {
  const actor = guarded(locals.actor);
  const search = url.searchParams.get('q')?.trim() ?? '';
  return {
    ...listUsers(await defaultApp(), actor, search, new Date()),
    search,
    ownId: actor.userId,
    done: doneIn(url, DONE),
  };
};

const role = oneOf(['customer', 'admin']);
/** What is typed is judged by `addUser`, and shown again when it is wrong. */
const InviteForm = z.object({ email: anyText, name: anyText, role });
const RoleForm = z.object({ user: anyText, role });

type Change = (app: App, actor: Actor, id: string) => Promise<UserChange>;

async function change(event: RequestEvent, done: string, work: Change) {
  const { user } = fieldsOf(event, 'user');
  const { kind } = await work(await defaultApp(), guarded(event.locals.actor), user);
  if (kind !== 'changed') return fail(409, { refused: REFUSED[kind] });
  seeOther(`/settings/users?done=${done}`);
}

/** The link is shown, too: a mail may not arrive, and where none can be sent the admin hands it over. */
async function invite(app: App, actor: Actor, email: string) {
  const invitation = await inviteUser(app, actor, email, new Date());
  if (invitation.kind === 'unknown_user') return fail(409, { refused: REFUSED.not_found });
  const { link, mail } = invitation;
  return {
    invited: { email, link, mailed: mail === 'sent', mailProblem: mail instanceof Error ? mail.message : null },
  };
}

export const actions: Actions = {
  invite: async (event) => {
    const { email, name, role } = posted(event, InviteForm);
    const app = await defaultApp();
    const actor = guarded(event.locals.actor);
    const added = await addUser(app, actor, { email, name, role });
    if (added.kind === 'refused') return fail(400, { typed: { email, name, role }, problems: inForm(added.problems) });
    return invite(app, actor, added.email);
  },
  link: async (event) => {
    const { email } = fieldsOf(event, 'email');
    return invite(await defaultApp(), guarded(event.locals.actor), email);
  },
  role: async (event) => {
    const { user, role } = posted(event, RoleForm);
    const actor = guarded(event.locals.actor);
    if (user === actor.userId) return fail(409, { refused: REFUSED.yourself });
    const { kind } = await changeRole(await defaultApp(), actor, user, role);
    if (kind !== 'changed') return fail(409, { refused: REFUSED[kind] });
    seeOther('/settings/users?done=role');
  },
  disable: (event) => change(event, 'disable', (app, actor, id) => setDisabled(app, actor, id, true)),
  enable: (event) => change(event, 'enable', (app, actor, id) => setDisabled(app, actor, id, false)),
  sessions: (event) => change(event, 'sessions', endAllSessions),
  remove: (event) => change(event, 'remove', removeUser),
};
