import { stringify } from 'yaml';
import type { App } from '../app.ts';
import { adminName, type Actor } from '../auth/actor.ts';
import { weeklyInWords, type PlannedWindow } from '../facts/fleet-change.ts';
import { labelInWords } from '../facts/label.ts';
import { FLEET_FILE_VERSION } from './fleet-document.ts';
import { NO_KEY, SHARED_KEY } from './import-entries.ts';
import { customersWithoutVps, readFleetState, type StateVps } from './fleet-state.ts';

/** A fleet file as an object; what has its usual value is left out. */
export type FleetDocument = Readonly<Record<string, unknown>>;

/**
 * The fleet as a fleet file, which changes nothing when it is applied. Without secrets: a VPS keeps the key that is stored.
 * What admins have begun by hand (maintenance without an end, paused healing) is no part of it.
 */
export function exportFleet({ db }: App, actor: Actor, now: Date): FleetDocument {
  adminName(actor);
  const state = readFleetState(db, now);
  const customers = customersWithoutVps(db).map(({ email, name }) => ({ email, ...(name !== null && { name }) }));
  return {
    version: Number(FLEET_FILE_VERSION),
    ...(customers.length > 0 && { customers }),
    vps: state.vps.map(vpsOf),
    notifications: state.routes.map(({ email, channel, enabled, kinds, address }) => ({
      user: email,
      channel,
      ...(!enabled && { enabled }),
      ...(kinds !== 'all' && { kinds: kinds.split(', ') }),
      ...(address !== '' && { address }),
    })),
  };
}

const vpsOf = ({
  email,
  name,
  host,
  port,
  user,
  service,
  hostKey,
  labels,
  windows,
  sharesKey,
  byCertificate,
  note,
}: StateVps): object => ({
  customer: email,
  ...(name !== null && { name }),
  host,
  ...(port !== 22 && { port }),
  ...(user !== 'root' && { user }),
  ...(service !== null && { service }),
  ...(sharesKey && { key: SHARED_KEY }),
  ...(byCertificate && { key: NO_KEY }),
  ...(hostKey !== null && { host_key: hostKey }),
  ...(labels.length > 0 && { labels: labels.map(labelInWords) }),
  ...(note !== null && { note }),
  ...(windows.length > 0 && { maintenance: windows.map(({ window }) => windowOf(window)) }),
});

function windowOf(window: PlannedWindow): object {
  const reason = window.reason !== null && { reason: window.reason };
  if (window.kind === 'once') return { from: toSecond(window.startsAt), until: toSecond(window.endsAt), ...reason };
  const { timeZone, durationMinutes } = window;
  return {
    weekly: weeklyInWords(window),
    for: `${durationMinutes}m`,
    ...(timeZone !== 'UTC' && { time_zone: timeZone }),
    ...reason,
  };
}

const toSecond = (at: Date): string => `${at.toISOString().slice(0, 19)}Z`;

/** The same as YAML, with the address of its schema for editors. */
export const fleetYaml = (document: FleetDocument, origin: string): string =>
  `# yaml-language-server: $schema=${origin}/fleet-file.schema.json\n` +
  '# The fleet as it is. A VPS without "key" keeps the key that is stored. See docs/fleet-files.md.\n' +
  stringify(document, { lineWidth: 0 });
