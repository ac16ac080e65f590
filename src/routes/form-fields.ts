import type { RequestEvent } from '@sveltejs/kit';
import { shortDuration } from '$lib/fleet-admin/words';

/** The text fields of a posted form; what is missing or a file is empty. */
export async function fieldsOf<Name extends string>(
  { request }: RequestEvent,
  ...names: Name[]
): Promise<Record<Name, string>> {
  const data = await request.formData();
  const text = (name: Name): string => {
    const value = data.get(name);
    return typeof value === 'string' ? value : '';
  };
  return Object.fromEntries(names.map((name) => [name, text(name)])) as Record<Name, string>;
}

export const tooMany = (retryAt: Date, now: Date): string =>
  `Too many attempts. Try again in ${shortDuration(Math.max(1_000, retryAt.getTime() - now.getTime()))}.`;
