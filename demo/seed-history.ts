// Ninety days of made-up history for the demo, so that its charts are worth seeing.
import { eq } from 'drizzle-orm';
import type { App } from '../src/lib/app.ts';
import { write, type Transaction } from '../src/lib/db/client.ts';
import {
  healthEvents,
  historySeries,
  incidents,
  metadata,
  restartAttempts,
  restartEvidence,
  users,
} from '../src/lib/db/schema.ts';
import type { JournalEntry } from '../src/lib/facts/journal.ts';
import { MADE_UP_UNTIL } from '../src/lib/views/made-up.ts';
import { addProbe } from '../src/lib/history/rules/probe-histogram.ts';
import { bucketStart, RESOLUTIONS, spanPieces, type Piece, type Resolution } from '../src/lib/history/rules/spans.ts';
import { healthyMachine, showJournal, showUnit, type Machine } from './machine.ts';
import { PAST_VALID_MS, pastOf, type PastIncident, type PastSample } from './past.ts';

type Vps = { readonly userId: string; readonly vpsId: string };
type Rollup = Omit<Piece, 'upMs' | 'downMs'> & { upMs: number; downMs: number; probes: string };

/** Gives each VPS a past that ends now, in the density that retention leaves, and marks it as made up. */
export async function seedHistory(app: App, fleet: readonly Vps[], now: Date): Promise<void> {
  await write(app.db, (tx) => {
    const admin = tx.select({ id: users.id }).from(users).where(eq(users.role, 'admin')).get();
    const journal: JournalEntry[] = [];
    for (const [index, vps] of fleet.entries()) {
      const { samples, incidents: past } = pastOf(index, now.getTime());
      addSamples(tx, vps, samples, app.settings.history, now);
      for (const [number, incident] of past.entries())
        journal.push(
          ...addIncident(tx, vps, `incident-made-up-${index + 1}-${number + 1}`, incident, admin?.id ?? 'cli'),
        );
    }
    const detail = { action: 'history_made_up' };
    journal.push({ at: now, kind: 'admin_action', userId: null, vpsId: null, incidentId: null, actor: 'cli', detail });
    for (const entry of journal.toSorted((a, b) => a.at.getTime() - b.at.getTime()))
      tx.insert(healthEvents).values(entry).run();
    const row = { name: MADE_UP_UNTIL, value: now.toISOString() };
    tx.insert(metadata).values(row).onConflictDoUpdate({ target: metadata.name, set: row }).run();
  });
}

function addSamples(
  tx: Transaction,
  { userId }: Vps,
  samples: readonly PastSample[],
  kept: App['settings']['history'],
  now: Date,
): void {
  const { id: seriesId } = tx.insert(historySeries).values({ userId }).returning().get();
  const cutMs: Record<Resolution, number> = {
    '10min': now.getTime() - kept.tenMinutesMs,
    hour: now.getTime() - kept.hourlyMs,
    day: now.getTime() - kept.dailyMs,
  };
  const rollups = new Map<string, Rollup>();
  const bucket = (resolution: Resolution, startsAtMs: number): Rollup | null => {
    if (startsAtMs < cutMs[resolution]) return null;
    const key = `${resolution} ${startsAtMs}`;
    const found = rollups.get(key) ?? { resolution, startsAtMs, upMs: 0, downMs: 0, probes: '' };
    rollups.set(key, found);
    return found;
  };
  for (const [index, sample] of samples.entries()) {
    const next = samples[index + 1];
    // The span of the last one is open until the first real check.
    for (const { resolution, startsAtMs, upMs, downMs } of next ? spanPieces(sample, next.atMs, PAST_VALID_MS) : []) {
      const rollup = bucket(resolution, startsAtMs);
      if (!rollup) continue;
      rollup.upMs += upMs;
      rollup.downMs += downMs;
    }
    if (sample.probeMs === null) continue;
    for (const resolution of RESOLUTIONS) {
      const rollup = bucket(resolution, bucketStart(resolution, sample.atMs));
      if (rollup) rollup.probes = addProbe(rollup.probes, sample.probeMs);
    }
  }
  // A hundred thousand rows for two dozen VPSs: built anew for each, a statement would take most of the time.
  const client = tx.database.$client;
  const addRollup = client.prepare(
    'INSERT INTO health_rollups (series_id, resolution, starts_at, up_ms, down_ms, probes) VALUES (?, ?, ?, ?, ?, ?)',
  );
  for (const { resolution, startsAtMs, upMs, downMs, probes } of rollups.values())
    addRollup.run(seriesId, resolution, startsAtMs, upMs, downMs, probes);
  const addSample = client.prepare('INSERT INTO health_samples (series_id, at, state, probe_ms) VALUES (?, ?, ?, ?)');
  for (const { atMs, state, probeMs } of samples)
    if (atMs >= now.getTime() - kept.detailMs) addSample.run(seriesId, atMs, state, probeMs);
}

/** Adds an incident with its restarts; gives what the journal has of it. */
function addIncident(tx: Transaction, vps: Vps, id: string, past: PastIncident, admin: string): JournalEntry[] {
  const { acknowledgedMs, circuitOpenedMs, cause, firstError, endedBy, failedChecks } = past;
  tx.insert(incidents)
    .values({
      ...vps,
      ...{ id, cause, firstError, endedBy, failedChecks },
      openedAt: new Date(past.openedMs),
      endedAt: new Date(past.endedMs),
      circuitOpenedAt: circuitOpenedMs === null ? null : new Date(circuitOpenedMs),
      acknowledgedAt: acknowledgedMs === null ? null : new Date(acknowledgedMs),
      acknowledgedBy: acknowledgedMs === null ? null : admin,
    })
    .run();
  for (const [index, { atMs, outcome }] of past.restarts.entries()) {
    const machine: Machine = { ...healthyMachine(), unit: 'failed', starts: index + 1 };
    const restart = {
      userId: vps.userId,
      incidentId: id,
      intendedAt: new Date(atMs),
      finishedAt: new Date(atMs + 4_000),
    };
    const { restartId } = tx
      .insert(restartAttempts)
      .values({ ...restart, outcome })
      .returning({ restartId: restartAttempts.id })
      .get();
    const evidence = { unit: showUnit(machine), journal: showJournal(machine, atMs) };
    tx.insert(restartEvidence)
      .values({ restartId, takenAt: new Date(atMs), ...evidence })
      .run();
  }
  return past.events.map(({ atMs, kind, detail }) => ({
    at: new Date(atMs),
    kind,
    ...vps,
    incidentId: id,
    actor: kind === 'admin_action' ? admin : 'monitor',
    detail,
  }));
}
