import { error, type RequestEvent } from '@sveltejs/kit';
import type * as z from 'zod/mini';
import type { Later } from '$lib/auth/rate-limit';
import type { EditFields } from '$lib/fleet-admin/edit-vps';
import { LOGIN_KEYS, type VpsDescription } from '$lib/fleet-admin/new-vps';
import { parseForm, typedIn } from '$lib/parsing/form';
import { inTerminal } from '$lib/parsing/problems';
import { shortDuration } from '$lib/facts/time-words';

/** The form that an action was called with. */
export const formOf = ({ locals }: RequestEvent): FormData => locals.form ?? new FormData();

/** The text fields of a posted form; what is missing or a file is empty. */
export const fieldsOf = <Name extends string>(event: RequestEvent, ...names: Name[]): Record<Name, string> =>
  typedIn(formOf(event), ...names);

/** Reads a form of which no person types what could be wrong; whatever does not fit is none of our pages. */
export function posted<Schema extends z.ZodMiniObject>(event: RequestEvent, schema: Schema): z.output<Schema> {
  const parsed = parseForm(schema, formOf(event));
  if ('value' in parsed) return parsed.value;
  error(400, `This form cannot be read: ${inTerminal(parsed.problems).join('; ')}`);
}

/** Status and words for whoever has to come again later. Sets the header that says when (RFC 9110, section 10.2.3). */
export function later(
  { setHeaders }: RequestEvent,
  { kind, retryAt }: Later,
  now: Date,
): { readonly status: 429 | 503; readonly problem: string } {
  const waitMs = Math.max(1_000, retryAt.getTime() - now.getTime());
  setHeaders({ 'retry-after': String(Math.ceil(waitMs / 1_000)) });
  return kind === 'busy'
    ? {
        status: 503,
        problem: `So many people are signing in that this has to wait. Try again in ${shortDuration(waitMs)}.`,
      }
    : { status: 429, problem: `Too many attempts. Try again in ${shortDuration(waitMs)}.` };
}

/** A key is a few kilobytes. */
const LARGEST_KEY_FILE = 64 * 1024;

/** The private key that a form brings, pasted or as a file; empty where it brings none. */
async function privateKeyOf(event: RequestEvent, pasted: string): Promise<string> {
  const file = formOf(event).get('keyFile');
  if (pasted.trim() !== '' || !(file instanceof File) || file.size === 0) return pasted;
  return file.size > LARGEST_KEY_FILE ? 'a file that is no key' : file.text();
}

/** What a form says of a VPS, and the same as it was typed, to be shown again: without the key. */
export async function vpsFieldsOf(event: RequestEvent): Promise<{
  readonly described: VpsDescription;
  readonly typed: Readonly<
    Record<'customer' | 'name' | 'host' | 'port' | 'user' | 'service' | 'hostKey' | 'labels' | 'note' | 'key', string>
  >;
  /** What the form was made from, where it says so. */
  readonly was: EditFields;
}> {
  const {
    privateKey,
    'was.name': name,
    'was.host': wasHost,
    'was.port': wasPort,
    'was.user': wasUser,
    'was.service': wasService,
    'was.labels': wasLabels,
    'was.note': wasNote,
    ...typed
  } = fieldsOf(
    event,
    'customer',
    'name',
    'host',
    'port',
    'user',
    'service',
    'hostKey',
    'labels',
    'note',
    'key',
    'privateKey',
    'was.name',
    'was.host',
    'was.port',
    'was.user',
    'was.service',
    'was.labels',
    'was.note',
  );
  const was = {
    name,
    host: wasHost,
    port: wasPort,
    user: wasUser,
    service: wasService,
    labels: wasLabels,
    note: wasNote,
  };
  const { port, user, service, hostKey, note } = typed;
  const filled = (text: string): string | undefined => text.trim() || undefined;
  const described = {
    ...typed,
    port: filled(port),
    user: filled(user),
    service: filled(service),
    hostKey: filled(hostKey),
    note: filled(note),
    key: LOGIN_KEYS.find((key) => key === typed.key) ?? ('own' as const),
    privateKey: await privateKeyOf(event, privateKey),
  };
  return { described, typed, was };
}

/** What `?done=…` in an address stands for, after a form has led there; null for anything else. */
export function doneIn(url: URL, words: Readonly<Record<string, string>>): string | null {
  const done = url.searchParams.get('done') ?? '';
  return Object.hasOwn(words, done) ? (words[done] ?? null) : null;
}
