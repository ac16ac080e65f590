import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { partOf, type App } from '../app.ts';
import { LINK_KINDS } from '../facts/link.ts';
import {
  ASKED_BY,
  countWith,
  LINKS,
  LOOK_OUTCOMES,
  RESTART_OUTCOMES,
  SWEEP_RESULTS,
  WITHHELD_BY,
  type Counted,
} from '../metrics/counting.ts';
import { CONDITIONS } from '../views/fleet-words.ts';
import { readMetrics, type MetricsState } from '../views/metrics-read.ts';
import { createShortCache } from './short-cache.ts';

/** However many ask how often: the database is read once in this time. */
const KEEP_MS = 5_000;

const LOOK_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20];
const RESTART_SECONDS = [1, 2.5, 5, 10, 20, 30, 45, 60, 120];
const SWEEP_SECONDS = [0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600];
/** The histogram of Node does not tell less than this apart. */
const LOOP_RESOLUTION_MS = 10;
const NANOSECONDS = 1e9;

/** Text in Prometheus' exposition format, and its content type. */
export type Exposition = { readonly contentType: string; readonly text: string };

/** Begins to count what happens in this process. To be called once, before anything does. */
export const startCounting = (app: App): void => {
  metersOf(app);
};

/** All that is measured, counted from the start of this process or read from the database, five seconds old at most. */
export const renderMetrics = (app: App): Promise<Exposition> => {
  const { registry, recent, show } = metersOf(app);
  return recent('all', async () => {
    show(readMetrics(app, new Date()));
    return { contentType: registry.contentType, text: await registry.metrics() };
  });
};

const metersOf = (app: App) =>
  partOf(app, 'meters', () => {
    const registry = new Registry();
    countWith(app, makeCounter(registry));
    const gauges = makeGauges(registry);
    const showProcess = makeProcessGauges(registry);
    const show = (state: MetricsState): void => {
      showState(gauges, state);
      showProcess();
    };
    const recent = createShortCache<Exposition>({ keepMs: KEEP_MS, entries: 1, worthKeeping: () => true });
    return { registry, recent, show };
  });

/** Each series is there from the start: what appears with its first event has no rate until the second one. */
function makeCounter(registry: Registry): (what: Counted) => void {
  const registers = [registry];
  const looks = new Counter({
    name: 'wardround_looks_total',
    help: 'Looks at single VPSs, by the link they went over and what they found.',
    labelNames: ['link', 'outcome'],
    registers,
  });
  const lookSeconds = new Histogram({
    name: 'wardround_look_duration_seconds',
    help: 'From the dial, or the question over a connection that is open, to the answer or the end of patience.',
    labelNames: ['link'],
    buckets: LOOK_SECONDS,
    registers,
  });
  const restarts = new Counter({
    name: 'wardround_restarts_total',
    help: 'Restarts by how they ended and who asked for them.',
    labelNames: ['outcome', 'asked_by'],
    registers,
  });
  const restartSeconds = new Histogram({
    name: 'wardround_heal_duration_seconds',
    help: 'From the restart command to the look after it.',
    buckets: RESTART_SECONDS,
    registers,
  });
  const news = new Counter({
    name: 'wardround_news_total',
    help: 'What the buses of VPSs have told by themselves: a unit has entered another state.',
    registers,
  });
  const withheld = new Counter({
    name: 'wardround_restarts_withheld_total',
    help: 'Looks at a stopped service after which no restart was sent, by what withheld it.',
    labelNames: ['reason'],
    registers,
  });
  const sweepSeconds = new Histogram({
    name: 'wardround_sweep_duration_seconds',
    help: 'Sweeps over the whole fleet, from beginning to end.',
    labelNames: ['result'],
    buckets: SWEEP_SECONDS,
    registers,
  });
  for (const link of LINKS) {
    if (link !== 'none') lookSeconds.zero({ link });
    for (const outcome of LOOK_OUTCOMES) looks.inc({ link, outcome }, 0);
  }
  for (const outcome of RESTART_OUTCOMES)
    for (const askedBy of ASKED_BY) restarts.inc({ outcome, asked_by: askedBy }, 0);
  for (const reason of WITHHELD_BY) withheld.inc({ reason }, 0);
  for (const result of SWEEP_RESULTS) sweepSeconds.zero({ result });
  return (what) => {
    switch (what.kind) {
      case 'look':
        looks.inc({ link: what.link, outcome: what.outcome });
        if (what.link !== 'none') lookSeconds.observe({ link: what.link }, what.durationMs / 1_000);
        return;
      case 'restart':
        restarts.inc({ outcome: what.outcome, asked_by: what.askedBy });
        return restartSeconds.observe(what.durationMs / 1_000);
      case 'news':
        return news.inc();
      case 'withheld':
        return withheld.inc({ reason: what.by });
      case 'sweep':
        return sweepSeconds.observe({ result: what.result }, what.durationMs / 1_000);
    }
  };
}

function makeGauges(registry: Registry) {
  const registers = [registry];
  return {
    vpss: new Gauge({
      name: 'wardround_vpss',
      help: 'VPSs by state and by circuit.',
      labelNames: ['state', 'circuit'],
      registers,
    }),
    outboxMessages: new Gauge({
      name: 'wardround_outbox_messages',
      help: 'Messages that wait to be sent, by channel.',
      labelNames: ['channel'],
      registers,
    }),
    outboxOldest: new Gauge({
      name: 'wardround_outbox_oldest_seconds',
      help: 'Age of the oldest message that waits to be sent, by channel; 0 where none does.',
      labelNames: ['channel'],
      registers,
    }),
    role: new Gauge({
      name: 'wardround_monitor_role',
      help: 'What the monitor of this process does: 1 for its role, 0 for the others.',
      labelNames: ['role'],
      registers,
    }),
    skipped: new Counter({
      name: 'wardround_sweeps_skipped_total',
      help: 'Sweeps that were left out because another one was still running.',
      registers,
    }),
    sweepAge: new Gauge({
      name: 'wardround_last_sweep_age_seconds',
      help: 'Since the last completed sweep has ended; NaN where nobody knows of one.',
      registers,
    }),
    sweepValid: new Gauge({
      name: 'wardround_sweep_valid_seconds',
      help: 'For so long a completed sweep says how the fleet is: three intervals.',
      registers,
    }),
    openLinks: new Gauge({
      name: 'wardround_links_open',
      help: 'Connections to VPSs that stand open, by the kind of their link.',
      labelNames: ['link'],
      registers,
    }),
    healing: new Gauge({
      name: 'wardround_healing_enabled',
      help: '1: services are restarted; 0: healing is switched off or has paused.',
      registers,
    }),
    outage: new Gauge({
      name: 'wardround_outage',
      help: '1: so much became unreachable at once that sweeps count for nothing.',
      registers,
    }),
    database: new Gauge({
      name: 'wardround_database_size_bytes',
      help: 'Size of the database: its main file, and what is not yet in it (wal).',
      labelNames: ['file'],
      registers,
    }),
  };
}

function showState(gauges: ReturnType<typeof makeGauges>, state: MetricsState): void {
  for (const condition of CONDITIONS)
    for (const circuit of ['closed', 'open', 'half_open'] as const) gauges.vpss.set({ state: condition, circuit }, 0);
  for (const { state: condition, circuit, count } of state.vpss) gauges.vpss.set({ state: condition, circuit }, count);
  for (const { channel, waiting, oldestMs } of state.outbox) {
    gauges.outboxMessages.set({ channel }, waiting);
    gauges.outboxOldest.set({ channel }, oldestMs / 1_000);
  }
  for (const role of ['off', 'sweeping', 'standby'] as const) gauges.role.set({ role }, Number(role === state.role));
  gauges.skipped.reset();
  gauges.skipped.inc(state.skippedSweeps);
  gauges.sweepAge.set(state.lastSweepAgeMs === null ? NaN : state.lastSweepAgeMs / 1_000);
  gauges.sweepValid.set(state.sweepValidMs / 1_000);
  for (const link of LINK_KINDS) gauges.openLinks.set({ link }, state.openLinks[link]);
  gauges.healing.set(Number(state.healing === 'on'));
  gauges.outage.set(Number(state.outage));
  for (const file of ['main', 'wal'] as const) gauges.database.set({ file }, state.databaseBytes[file]);
}

/** prom-client's own are not taken: one of them breaks the rules of naming that `promtool` checks. */
function makeProcessGauges(registry: Registry): () => void {
  const registers = [registry];
  const delay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  delay.enable();
  const loop = new Gauge({
    name: 'wardround_event_loop_delay_seconds',
    help: 'How late the event loop was since the metrics were read before: median, 99th percentile and worst.',
    labelNames: ['stat'],
    registers,
  });
  const memory = new Gauge({ name: 'process_resident_memory_bytes', help: 'Memory of this process.', registers });
  const cpu = new Counter({ name: 'process_cpu_seconds_total', help: 'Processor time of this process.', registers });
  new Gauge({ name: 'process_start_time_seconds', help: 'When this process was started.', registers }).set(
    performance.timeOrigin / 1_000,
  );
  return () => {
    const late = (nanoseconds: number): number =>
      Number.isFinite(nanoseconds) ? Math.max(0, nanoseconds / NANOSECONDS - LOOP_RESOLUTION_MS / 1_000) : 0;
    loop.set({ stat: 'p50' }, late(delay.percentile(50)));
    loop.set({ stat: 'p99' }, late(delay.percentile(99)));
    loop.set({ stat: 'max' }, delay.count === 0 ? 0 : late(delay.max));
    delay.reset();
    memory.set(process.memoryUsage.rss());
    const { user, system } = process.cpuUsage();
    cpu.reset();
    cpu.inc((user + system) / 1e6);
  };
}
