import type { App } from '../app.ts';
import type { Actor } from '../auth/actor.ts';
import { isUnderWay } from './action-words.ts';
import { readLastChecks, type CheckMark } from './checks-read.ts';
import { madeUpUntil } from './made-up.ts';
import { layOutChart, type ProbeChart, type ProbeWindow } from './probe-chart.ts';
import { readProbeDurations } from './probe-read.ts';
import { readDailyBars, readUptime, type DailyBar, type UptimeWindows } from './uptime-read.ts';
import type { MonitorStatus } from '../monitoring/health-checker.ts';
import { readMonitorState } from '../monitoring/monitor-state.ts';
import type { CustomerFacts } from './customer-sentence.ts';
import { readWatch } from './watch-read.ts';
import { listRestartLedger, readVps, type FleetRow, type RestartRow } from './fleet-read.ts';
import { listIncidents, readIncident, type IncidentDetail, type IncidentRow } from './incident-read.ts';
import { plainIncident, plainTimeline } from './incident-words.ts';
import { readVpsJournal, type JournalLine } from './journal-read.ts';
import { readSameMachinesOf, type SameMachine } from './same-machine-read.ts';

const CUSTOMER_INCIDENTS = 5;
const ADMIN_INCIDENTS = 5;
const WITH_EVIDENCE = 3;
const LEDGER_ROWS = 10;
const JOURNAL_ROWS = 20;

export type VpsHistory = {
  readonly uptime: UptimeWindows;
  readonly bars: readonly DailyBar[];
  readonly checks: readonly CheckMark[];
  readonly chart: ProbeChart;
  /** Null: all of it was seen; otherwise it is a demo. */
  readonly madeUpUntil: Date | null;
};

/** An incident as the customer reads it. */
export type PlainIncident = {
  readonly id: string;
  readonly openedAt: Date;
  readonly isOpen: boolean;
  readonly words: string;
  readonly timeline: readonly { readonly at: Date; readonly words: string }[];
};

/** What a customer sees of the own VPS: no raw text, nothing of how it is reached but its host. */
export type CustomerView = {
  readonly kind: 'customer';
  readonly id: string;
  readonly host: string;
  readonly service: string;
  readonly facts: CustomerFacts;
  readonly incidents: readonly PlainIncident[];
  readonly history: VpsHistory;
};

/** Everything, for an admin. */
export type AdminView = {
  readonly kind: 'admin';
  readonly vps: FleetRow;
  readonly healing: 'on' | 'off' | 'paused';
  readonly incidents: readonly IncidentRow[];
  /** The latest of them with a restart, with what the host said before each. */
  readonly evidence: readonly IncidentDetail[];
  readonly restarts: readonly RestartRow[];
  readonly journal: readonly JournalLine[];
  readonly sameMachines: readonly SameMachine[];
  readonly history: VpsHistory;
};

type Wanted = { readonly id: string; readonly window: ProbeWindow };

/** The page of one VPS for whoever asks. Undefined: no such VPS for this actor. */
export function readVpsPage(
  app: App,
  actor: Actor,
  { id, window }: Wanted,
  { monitor, now }: { readonly monitor: MonitorStatus; readonly now: Date },
): CustomerView | AdminView | undefined {
  const vps = readVps(app, actor, id, now);
  const history = readHistory(app, actor, { id, window }, now);
  if (!vps || !history) return undefined;
  if (actor.role === 'customer') return customerView(app, actor, vps, { history, monitor, now });
  const incidents = listIncidents(app, actor, { vpsId: id, limit: ADMIN_INCIDENTS });
  return {
    kind: 'admin',
    vps,
    healing: healingOf(vps, readMonitorState(app.db).healing),
    incidents,
    evidence: incidents
      .filter(({ restarts }) => restarts > 0)
      .slice(0, WITH_EVIDENCE)
      .flatMap((incident) => readIncident(app, actor, incident.id) ?? []),
    restarts: listRestartLedger(app, actor, id, LEDGER_ROWS),
    journal: readVpsJournal(app, actor, vps, JOURNAL_ROWS),
    sameMachines: readSameMachinesOf(app, actor, id),
    history,
  };
}

/** Of one VPS it may pause, whatever is true of all. */
const healingOf = ({ healingPausedSince }: FleetRow, ofAll: AdminView['healing']): AdminView['healing'] =>
  healingPausedSince === null || ofAll === 'off' ? ofAll : 'paused';

function readHistory(app: App, actor: Actor, { id, window }: Wanted, now: Date): VpsHistory | undefined {
  const uptime = readUptime(app, actor, id, now);
  const bars = readDailyBars(app, actor, id, now);
  const checks = readLastChecks(app, actor, id, now);
  const durations = readProbeDurations(app, actor, { vpsId: id, window }, now);
  if (!uptime || !bars || !checks || !durations) return undefined;
  const chart = layOutChart(durations, window, app.settings.history.sampleValidMs, now);
  return { uptime, bars, checks, chart, madeUpUntil: madeUpUntil(app) };
}

function customerView(
  app: App,
  actor: Actor,
  vps: FleetRow,
  { history, monitor, now }: { readonly history: VpsHistory; readonly monitor: MonitorStatus; readonly now: Date },
): CustomerView {
  const incidents = listIncidents(app, actor, { vpsId: vps.id, limit: CUSTOMER_INCIDENTS });
  const [latest] = incidents;
  const [restart] = listRestartLedger(app, actor, vps.id, 1);
  const { healing, outageSince, outageAcceptedAt } = readMonitorState(app.db);
  return {
    kind: 'customer',
    id: vps.id,
    host: vps.host,
    service: vps.service,
    facts: {
      vps: {
        active: vps.active,
        subscriptionStatus: vps.subscriptionStatus,
        maintenanceSince: vps.maintenanceSince,
        maintenanceUntil: vps.maintenanceUntil,
        knownUntil: vps.knownUntil,
        status: vps.status,
        circuitState: vps.circuitState,
        circuitReason: vps.circuitReason,
        halfOpenAt: vps.halfOpenAt,
        lastCheckAt: vps.lastCheckAt,
        lastHealthyAt: vps.lastHealthyAt,
        lastErrorCode: vps.lastErrorCode,
        startingUntil: vps.startingUntil,
        authRetryAt: vps.authRetryAt,
      },
      incident:
        latest?.endedAt === null
          ? {
              openedAt: latest.openedAt,
              cause: latest.cause,
              restarts: latest.restarts,
              acknowledgedAt: latest.acknowledgedAt,
            }
          : null,
      isRestarting: restart !== undefined && isUnderWay(restart, now),
      restartedAt: latest?.endedBy === 'restart' ? latest.endedAt : null,
      monitor: {
        role: readWatch(app, monitor, now).watcher.kind === 'nobody' ? 'off' : roleForCustomers(monitor.role),
        nextSweepAt: monitor.nextSweepAt,
        healing: healingOf(vps, healing),
        outage: outageSince !== null && outageAcceptedAt === null,
      },
    },
    incidents: incidents.flatMap(({ id }) => readPlainIncident(app, actor, id, now) ?? []),
    history,
  };
}

/** Which of our servers it is that looks is nothing for customers. */
const roleForCustomers = (role: MonitorStatus['role']): MonitorStatus['role'] => (role === 'off' ? 'standby' : role);

/** One incident in plain words. Undefined: none that this actor may see. */
export function readPlainIncident(app: App, actor: Actor, id: string, now: Date): PlainIncident | undefined {
  const found = readIncident(app, actor, id);
  return found && plainIncidentOf(found, now);
}

const plainIncidentOf = ({ incident, events }: IncidentDetail, now: Date): PlainIncident => ({
  id: incident.id,
  openedAt: incident.openedAt,
  isOpen: incident.endedAt === null,
  words: plainIncident(incident, now),
  timeline: plainTimeline(events),
});
