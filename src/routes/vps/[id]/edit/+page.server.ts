import { error, fail } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { editVps, mergeEdit, type EditFields } from '$lib/fleet-admin/edit-vps';
import { maySign } from '$lib/fleet-admin/authority';
import { readEditable, type EditableVps } from '$lib/views/vps-form-read';
import { sharedKeyOf } from '$lib/fleet-admin/shared-key';
import { RefusedError } from '$lib/fleet-admin/the-vps';
import { readVps } from '$lib/views/fleet-read';
import { parseVpsEdit } from '$lib/fleet-admin/new-vps';
import { checkNow } from '$lib/fleet-admin/vps-actions';
import { inForm } from '$lib/parsing/problems';
import { vpsFieldsOf } from '../../../form-fields';
import { seeOther } from '../../../site';
import type { Actions, PageServerLoad } from './$types';

const valuesOf = ({ name, host, port, user, service, labels, note }: EditableVps): EditFields => ({
  name: name ?? '',
  host,
  port: String(port),
  user,
  service: service ?? '',
  labels,
  note: note ?? '',
});

export const load: PageServerLoad = async ({ locals, params }) => {
  const app = await defaultApp();
  const vps = readEditable(app, guarded(locals.actor), params.id);
  if (!vps) error(404, 'There is no such VPS');
  return {
    id: params.id,
    customer: vps.name ?? vps.email,
    values: valuesOf(vps),
    service: app.settings.monitoredService,
    key: vps.key,
    sharedKey: sharedKeyOf(app.db)?.publicKey ?? null,
    certifies: maySign(app),
  };
};

export const actions: Actions = {
  default: async (event) => {
    const app = await defaultApp();
    const actor = guarded(event.locals.actor);
    const { id } = event.params;
    const vps = readEditable(app, actor, id);
    if (!vps) error(404, 'There is no such VPS');
    const { described, typed, was } = await vpsFieldsOf(event);
    const parsed = parseVpsEdit({ ...mergeEdit(valuesOf(vps), was, described), customer: vps.email });
    if ('problems' in parsed) return fail(400, { typed, was, problems: inForm(parsed.problems), refused: null });
    let changed: string[];
    try {
      changed = await editVps(app, actor, id, parsed.edit);
    } catch (problem) {
      if (!(problem instanceof RefusedError)) throw problem;
      return fail(409, { typed, was, problems: {}, refused: `Not saved: ${problem.message}.` });
    }
    if (changed.length > 0 && readVps(app, actor, id, new Date())?.active) await checkNow(app, actor, [id]);
    seeOther(`/vps/${id}?done=${changed.length > 0 ? 'edit' : 'same'}`);
  },
};
