import { redirect } from '@sveltejs/kit';
import { resolve } from '$app/paths';

/** The path that the site is served under; empty where it has its origin to itself. */
export const BASE = resolve('/').slice(0, -1);

/** What the cookies of this site are for: everything below that path. */
export const COOKIE_PATH = BASE || '/';

/** Where a page is below that path, with its query. */
export const placeOf = ({ pathname, search }: Pick<URL, 'pathname' | 'search'>): string =>
  (pathname.slice(BASE.length) || '/') + search;

/** Leads on to a place of this site, which is asked for with GET, whatever this was. */
export function seeOther(place: string): never {
  redirect(303, BASE + place);
}
