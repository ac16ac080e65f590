import type { RequestEvent } from '@sveltejs/kit';
import { parseVps } from '$lib/fleet-admin/new-vps';
import { makePrivateKey } from '$lib/provisioning/private-key';
import { formOf, vpsFieldsOf } from '../../form-fields';

/** What the form of a new VPS says. */
export async function readNewVps(event: RequestEvent) {
  const { described, typed } = await vpsFieldsOf(event);
  const isGenerated = typed.key === 'generate';
  const parsed = parseVps(isGenerated ? { ...described, privateKey: makePrivateKey() } : described);
  return { parsed, typed, isGenerated, notReady: formOf(event).has('notReady') };
}
