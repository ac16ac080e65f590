import { error, type RequestEvent } from '@sveltejs/kit';
import type * as z from 'zod/mini';
import type { VpsDescription } from '$lib/fleet-admin/new-vps';
import { parseForm, typedIn } from '$lib/parsing/form';
import { inTerminal } from '$lib/parsing/problems';
import { shortDuration } from '$lib/facts/time-words';

/** The text fields of a posted form; what is missing or a file is empty. */
export const fieldsOf = async <Name extends string>(
  { request }: RequestEvent,
  ...names: Name[]
): Promise<Record<Name, string>> => typedIn(await request.formData(), ...names);

/** Reads a form of which no person types what could be wrong; whatever does not fit is none of our pages. */
export async function posted<Schema extends z.ZodMiniObject>(
  { request }: RequestEvent,
  schema: Schema,
): Promise<z.output<Schema>> {
  const parsed = parseForm(schema, await request.formData());
  if ('value' in parsed) return parsed.value;
  error(400, `This form cannot be read: ${inTerminal(parsed.problems).join('; ')}`);
}

export const tooMany = (retryAt: Date, now: Date): string =>
  `Too many attempts. Try again in ${shortDuration(Math.max(1_000, retryAt.getTime() - now.getTime()))}.`;

/** What a form says of a VPS, and the same as it was typed, to be shown again: without the key. */
export async function vpsFieldsOf(event: RequestEvent): Promise<{
  readonly described: VpsDescription;
  readonly typed: Readonly<Record<'customer' | 'name' | 'host' | 'port' | 'user' | 'service' | 'hostKey', string>>;
  /** What the form was made from, where it says so. */
  readonly was: Readonly<Record<'name' | 'host' | 'port' | 'user' | 'service', string>>;
}> {
  const {
    privateKey,
    'was.name': name,
    'was.host': wasHost,
    'was.port': wasPort,
    'was.user': wasUser,
    'was.service': wasService,
    ...typed
  } = await fieldsOf(
    event,
    'customer',
    'name',
    'host',
    'port',
    'user',
    'service',
    'hostKey',
    'privateKey',
    'was.name',
    'was.host',
    'was.port',
    'was.user',
    'was.service',
  );
  const was = { name, host: wasHost, port: wasPort, user: wasUser, service: wasService };
  const { port, user, service, hostKey } = typed;
  const filled = (text: string): string | undefined => text.trim() || undefined;
  const described = {
    ...typed,
    port: filled(port),
    user: filled(user),
    service: filled(service),
    hostKey: filled(hostKey),
    privateKey,
  };
  return { described, typed, was };
}

/** What `?done=…` in an address stands for, after a form has led there; null for anything else. */
export function doneIn(url: URL, words: Readonly<Record<string, string>>): string | null {
  const done = url.searchParams.get('done') ?? '';
  return Object.hasOwn(words, done) ? (words[done] ?? null) : null;
}
