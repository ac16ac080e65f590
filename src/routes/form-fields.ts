import { error, type RequestEvent } from '@sveltejs/kit';
import type * as z from 'zod/mini';
import type { Later } from '$lib/auth/rate-limit';
import type { VpsDescription } from '$lib/fleet-admin/new-vps';
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

/** What a form says of a VPS, and the same as it was typed, to be shown again: without the key. */
export function vpsFieldsOf(event: RequestEvent): {
  readonly described: VpsDescription;
  readonly typed: Readonly<
    Record<'customer' | 'name' | 'host' | 'port' | 'user' | 'service' | 'hostKey' | 'labels', string>
  >;
  /** What the form was made from, where it says so. */
  readonly was: Readonly<Record<'name' | 'host' | 'port' | 'user' | 'service' | 'labels', string>>;
} {
  const {
    privateKey,
    'was.name': name,
    'was.host': wasHost,
    'was.port': wasPort,
    'was.user': wasUser,
    'was.service': wasService,
    'was.labels': wasLabels,
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
    'privateKey',
    'was.name',
    'was.host',
    'was.port',
    'was.user',
    'was.service',
    'was.labels',
  );
  const was = { name, host: wasHost, port: wasPort, user: wasUser, service: wasService, labels: wasLabels };
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
