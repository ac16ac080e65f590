import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addWatched, openHistoryApp, type HistoryApp } from '../../../tests/support/history.ts';
import type { App } from '../app.ts';
import { LOCAL_OPERATOR, type Actor } from '../auth/actor.ts';
import { incidents } from '../db/schema.ts';
import { acknowledgeIncident } from '../fleet-admin/incident-admin.ts';
import { CSV_HEAD } from './incident-csv.ts';
import { exportIncidents } from './incident-export.ts';
import { listCauses, listIncidents, sumIncidents, type IncidentFilter } from './incident-read.ts';

const MINUTE = 60_000;
const day = (text: string): Date => new Date(`2026-11-${text}T12:00:00Z`);

let history: HistoryApp;
let app: App;
let anna: Actor;

beforeAll(async () => {
  history = await openHistoryApp();
  ({ app } = history);
  const [a, b] = [addWatched(app, 'anna'), addWatched(app, 'bert')];
  anna = { role: 'customer', userId: a.userId };
  const rows: (Partial<typeof incidents.$inferInsert> & { id: string; openedAt: Date })[] = [
    {
      id: 'first',
      ...a,
      openedAt: day('01'),
      endedAt: new Date(day('01').getTime() + 10 * MINUTE),
      endedBy: 'restart',
    },
    {
      id: 'second',
      ...a,
      openedAt: day('02'),
      endedAt: new Date(day('02').getTime() + 30 * MINUTE),
      endedBy: 'by_itself',
    },
    { id: 'third', ...a, openedAt: day('03'), endedAt: day('04'), endedBy: 'not_watched', cause: 'timeout' },
    { id: 'bert', ...b, openedAt: day('03') },
    { id: 'open', ...a, openedAt: day('02'), cause: 'timeout' },
  ];
  for (const row of rows)
    app.db
      .insert(incidents)
      .values({ userId: a.userId, vpsId: a.vpsId, cause: 'refused', firstError: 'x', ...row })
      .run();
});
afterAll(() => history.close());

const list = (filter: IncidentFilter, actor = LOCAL_OPERATOR): string[] =>
  listIncidents(app, actor, { ...filter, limit: 9 }).map(({ id }) => id);

describe('a list of incidents', () => {
  it('has open ones first, then the latest, page by page', () => {
    expect(list({})).toEqual(['bert', 'open', 'third', 'second', 'first']);
    expect(listIncidents(app, LOCAL_OPERATOR, { limit: 2, offset: 1 }).map(({ id }) => id)).toEqual(['open', 'third']);
  });

  it.each<[IncidentFilter, string[]]>([
    [{ open: true }, ['bert', 'open']],
    [{ ended: true }, ['third', 'second', 'first']],
    [{ cause: 'timeout' }, ['open', 'third']],
    [{ since: day('02'), before: day('03') }, ['open', 'second']],
    [{ vpsId: 'vps-bert' }, ['bert']],
  ])('filters by %j', (filter, ids) => {
    expect(list(filter)).toEqual(ids);
    expect(sumIncidents(app, LOCAL_OPERATOR, filter).total).toBe(ids.length);
  });

  it('sums up what matches; what is no longer watched has not recovered', () => {
    expect(sumIncidents(app, LOCAL_OPERATOR, {})).toEqual({
      total: 5,
      open: 2,
      recovered: 2,
      recoveredByRestart: 1,
      meanTimeToRecoveryMs: 20 * MINUTE,
    });
    expect(sumIncidents(app, LOCAL_OPERATOR, { cause: 'timeout' }).meanTimeToRecoveryMs).toBeNull();
  });

  it('takes what another version calls something else for unknown, and finds it by that', () => {
    const rename = (from: string, to: string) =>
      app.db.$client.prepare('UPDATE incidents SET cause = ? WHERE cause = ?').run(to, from);
    rename('timeout', 'of_another_version');
    expect(listCauses(app, LOCAL_OPERATOR)).toEqual(['unknown', 'refused']);
    expect(list({ cause: 'unknown' })).toEqual(['open', 'third']);
    expect(list({ cause: 'timeout' })).toEqual([]);
    rename('of_another_version', 'timeout');
  });

  it('is for the owner and for admins: of a customer, the own ones only', async () => {
    expect(list({}, anna)).toEqual(['open', 'third', 'second', 'first']);
    expect(sumIncidents(app, anna, {}).total).toBe(4);
    expect(listCauses(app, { role: 'customer', userId: 'user-bert' })).toEqual(['refused']);
    expect(listCauses(app, LOCAL_OPERATOR)).toEqual(['refused', 'timeout']);
    expect(await textOf(exportIncidents(app, anna, {}))).not.toContain('bert');
  });
});

describe('acknowledging', () => {
  it('is for admins, of incidents that are open', async () => {
    await expect(acknowledgeIncident(app, anna, 'open', day('05'))).rejects.toThrow('only an admin');
    await expect(acknowledgeIncident(app, LOCAL_OPERATOR, 'third', day('05'))).rejects.toThrow('has ended already');
    await acknowledgeIncident(app, LOCAL_OPERATOR, 'open', day('05'));
    expect(listIncidents(app, anna, { open: true, limit: 1 })[0]).toMatchObject({ acknowledgedAt: day('05') });
  });
});

describe('an export', () => {
  it('has every incident that matches, beyond the first piece too', async () => {
    const many = Array.from({ length: 501 }, (_, index) => index);
    for (const index of many)
      app.db
        .insert(incidents)
        .values({
          id: `many-${index}`,
          vpsId: 'vps-anna',
          userId: 'user-anna',
          cause: 'dns',
          firstError: 'x',
          openedAt: day('09'),
          endedAt: day('10'),
        })
        .run();
    const text = await textOf(exportIncidents(app, LOCAL_OPERATOR, { cause: 'dns' }));
    expect(text.startsWith(CSV_HEAD)).toBe(true);
    const ids = text
      .trimEnd()
      .split('\r\n')
      .slice(1)
      .map((line) => line.split(',')[0]);
    expect(new Set(ids).size).toBe(501);
    expect(ids).toHaveLength(501);
  });
});

async function textOf(pieces: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const piece of pieces) text += piece;
  return text;
}
