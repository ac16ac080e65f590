import { partOf, type App } from '../app.ts';
import type { Actor } from '../auth/actor.ts';
import { dataVersion } from '../db/client.ts';
import { readFleetList, type FleetList } from './fleet-list.ts';
import type { FleetQuery } from './fleet-query.ts';

/** How long one reading is good for many: a quarter of a second of a sweep that looks at thousands. */
const KEEP_MS = 250;
/** As many questions about a fleet as are asked within that time by people; each answer is some 100 kB. */
const MOST_ANSWERS = 20;

type Answer = { readonly list: FleetList; readonly readAtMs: number; readonly acts: string; readonly looks: number };

/**
 * As `readFleetList`, which goes through the whole fleet, but once for all who ask within a quarter of a second. It is never
 * behind what a person or another process has done; it may be that much behind the looks of a sweep, unless it is to be exact:
 * a page reads itself anew, and exactly, once it is open and whenever it hears of a change.
 */
export function recentFleetList(
  app: App,
  actor: Actor,
  query: FleetQuery,
  { now, isToBeExact }: { readonly now: Date; readonly isToBeExact: boolean },
): FleetList {
  const answers = partOf(app, 'fleet lists', () => new Map<string, Answer>());
  const key = JSON.stringify([actor.role === 'customer' ? actor.userId : '', query]);
  const acts = `${app.db.commits.at_once} ${dataVersion(app.db)}`;
  const looks = app.db.commits.with_next;
  const known = answers.get(key);
  const ageMs = known ? now.getTime() - known.readAtMs : Infinity;
  if (known && ageMs >= 0 && ageMs < KEEP_MS && known.acts === acts && !(isToBeExact && known.looks !== looks))
    return known.list;
  const list = readFleetList(app, actor, query, now);
  answers.delete(key);
  answers.set(key, { list, readAtMs: now.getTime(), acts, looks });
  for (const oldest of answers.keys()) {
    if (answers.size <= MOST_ANSWERS) break;
    answers.delete(oldest);
  }
  return list;
}
