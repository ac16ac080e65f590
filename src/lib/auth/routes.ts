import type { Actor } from './actor.ts';

export type Access = 'public' | 'signed-in' | 'admin';

/**
 * Who may ask for what, by route id. A route that is missing here answers nobody, and `tests/routes.test.ts` walks each
 * of them, with each of its actions and methods, as each kind of user.
 */
export const ROUTE_ACCESS: Readonly<Record<string, Access>> = {
  '/': 'signed-in',
  '/vps/[id]': 'signed-in',
  '/vps/[id]/actions': 'admin',
  '/vps/[id]/edit': 'admin',
  '/vps/[id]/status-page': 'signed-in',
  '/vps/[id]/try': 'admin',
  '/vps/[id]/try/live': 'admin',
  '/vps/import': 'admin',
  '/vps/import/[run]': 'admin',
  '/vps/new': 'admin',
  '/vps/new/live': 'admin',
  '/incidents': 'admin',
  '/incidents/export': 'admin',
  '/incidents/[id]': 'signed-in',
  '/settings': 'admin',
  '/settings/users': 'admin',
  '/status/[token]': 'public',
  '/status/[token]/badge.svg': 'public',
  '/live': 'signed-in',
  '/theme': 'public',
  '/fleet/rows': 'admin',
  '/account': 'signed-in',
  '/account/notifications': 'signed-in',
  '/confirm-address': 'public',
  '/account/second-factor': 'admin',
  '/sign-in': 'public',
  '/sign-in/second-factor': 'public',
  '/sign-out': 'public',
  '/forgot-password': 'public',
  '/reset-password': 'public',
  '/welcome': 'public',
  // For programs: process alive, ready to serve; without any fact about the fleet.
  '/healthz': 'public',
  '/readyz': 'public',
  // Judged by its token or by where it is asked from: see scraper.ts.
  '/metrics': 'public',
};

/** Whether this actor may come to this route, or what stands in the way. Rights on single rows are the queries' affair. */
export function judgeAccess(routeId: string, actor: Actor | null): 'allowed' | 'sign in' | 'forbidden' | 'unlisted' {
  const access = Object.hasOwn(ROUTE_ACCESS, routeId) ? ROUTE_ACCESS[routeId] : undefined;
  switch (access) {
    case undefined:
      return 'unlisted';
    case 'public':
      return 'allowed';
    case 'signed-in':
      return actor === null ? 'sign in' : 'allowed';
    case 'admin':
      if (actor === null) return 'sign in';
      return actor.role === 'admin' ? 'allowed' : 'forbidden';
  }
}
