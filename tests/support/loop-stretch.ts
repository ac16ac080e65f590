import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { json } from 'node:stream/consumers';
import { UnitBus } from '../../src/lib/provisioning/bus/unit-bus.ts';
import { parsePrivateKey } from '../../src/lib/provisioning/private-key.ts';
import { SSHCommandError } from '../../src/lib/provisioning/ssh-failure.ts';
import { SSHSession } from '../../src/lib/provisioning/ssh-session.ts';
import { VpsConnection } from '../../src/lib/provisioning/vps-connection.ts';
import { probeService, readJournalTail, restartRachelService } from '../../src/lib/provisioning/vps-status.ts';

// Runs as a process of its own, with its orders on stdin, so that what the peers and the test runner do costs it nothing.

export type StretchOrders = {
  readonly privateKey: string;
  /** A host that does no harm: the first look at it loads and compiles what later ones need. */
  readonly healthyPort: number;
  /** Looked at all at once. */
  readonly ports: readonly number[];
  readonly timeoutMs: number;
  /** Look over the bus of the host, and wait for the end of that, instead of by commands. */
  readonly overBus?: boolean;
};

export type StretchReport = {
  /** How each look ended; `healed` says how the restart did that followed. */
  readonly looks: readonly { readonly found: string; readonly healed: string | null }[];
  /** The most processor time that one turn of the event loop has taken, while healthy and while hostile. */
  readonly healthyMs: number;
  readonly longestMs: number;
  /** The same by the clock on the wall, with all that other processes of the machine took meanwhile. */
  readonly longestWallMs: number;
  readonly cpuMs: number;
};

const { privateKey, healthyPort, ports, timeoutMs, overBus = false } = (await json(process.stdin)) as StretchOrders;
const limits = {
  connectTimeoutMs: timeoutMs,
  commandTimeoutMs: timeoutMs,
  restartTimeoutMs: timeoutMs,
  restartSettleMs: 0,
};
const key = parsePrivateKey(privateKey);

/** All that the monitor does to a VPS whose service has stopped. */
async function lookAndHeal(port: number): Promise<StretchReport['looks'][number]> {
  const target = { host: '127.0.0.1', port, username: 'monitor', privateKey: key };
  const vps = new VpsConnection({ ...target, service: 'rachel8', reach: 'any' }, limits);
  try {
    const { result } = await probeService(vps);
    const found = result.kind === 'no_answer' ? `${result.code}: ${result.message}` : result.kind;
    if (result.kind !== 'state' || result.activeState === 'active') return { found, healed: null };
    await readJournalTail(vps);
    const { outcome } = await restartRachelService(vps, { resetFailed: true, before: result.unit });
    return { found, healed: outcome };
  } finally {
    await vps.close();
  }
}

/** How a bus ends that does what it must not, or which state a healthy one tells. */
async function lookOverBus(port: number): Promise<StretchReport['looks'][number]> {
  const session = await SSHSession.open(
    { host: '127.0.0.1', port, username: 'monitor', privateKey: key },
    { timeoutMs },
  );
  try {
    const listener = { onState: () => undefined, onEnd: () => undefined };
    const unit = await UnitBus.open(session, 'rachel8', { timeoutMs, listener });
    return { found: (await unit.look({ timeoutMs })).activeState, healed: await unit.start({ timeoutMs }) };
  } catch (error) {
    if (!(error instanceof SSHCommandError)) throw error;
    return { found: `${error.code}: ${error.message}`, healed: null };
  } finally {
    await session.close();
  }
}

/** The most processor time that this thread has needed between two turns of its event loop, in milliseconds. */
async function longestStretch<T>(work: Promise<T>): Promise<{ readonly done: T; readonly longestMs: number }> {
  let longestMs = 0;
  let before = process.threadCpuUsage();
  let isOver = false;
  const beat = (): void => {
    const { user, system } = process.threadCpuUsage(before);
    longestMs = Math.max(longestMs, (user + system) / 1_000);
    before = process.threadCpuUsage();
    if (!isOver) setImmediate(beat);
  };
  setImmediate(beat);
  const done = await work;
  // The turn in which it ended counts, too.
  await nextTurn();
  isOver = true;
  return { done, longestMs };
}

const look = overBus ? lookOverBus : lookAndHeal;
for (let warmUp = 0; warmUp < 5; warmUp += 1) await look(healthyPort);
const healthy = await longestStretch(look(healthyPort));

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const cpuBefore = process.threadCpuUsage();
const { done: looks, longestMs } = await longestStretch(Promise.all(ports.map(look)));
const cpu = process.threadCpuUsage(cpuBefore);
delay.disable();
const report: StretchReport = {
  looks,
  healthyMs: healthy.longestMs,
  longestMs,
  longestWallMs: delay.max / 1e6,
  cpuMs: (cpu.user + cpu.system) / 1_000,
};
process.stdout.write(`${JSON.stringify(report)}\n`);
