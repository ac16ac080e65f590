import { getEventListeners } from 'node:events';
import { closeSync, open, openSync } from 'node:fs';
import { devNull } from 'node:os';
import { json } from 'node:stream/consumers';
import { execSSHCommand, type SSHCommandOptions } from '../../src/lib/provisioning/ssh-exec.ts';
import { SSHCommandError, type SSHFailureCode, type SSHPhase } from '../../src/lib/provisioning/ssh-failure.ts';
import type { SSHCommandResult } from '../../src/lib/provisioning/ssh-session.ts';

// Runs as a process of its own, with its orders on stdin: a key in argv could be read by everyone on the machine.
// It prints one line and then never calls process.exit(): that it ends is the proof that nothing was left behind.

export type ExecOnceOrders = Omit<SSHCommandOptions, 'privateKey' | 'signal'> & {
  readonly privateKey: string;
  /** The signal has been given before the call. */
  readonly aborted?: boolean;
  /** Uses up every descriptor before the call. */
  readonly withoutDescriptors?: boolean;
  /** A FIFO, whose opening keeps a thread busy until somebody opens its other end. */
  readonly busyWith?: string;
  /** How often in sequence; the outcome is that of the last run. */
  readonly runs?: number;
};

export type ExecOnceOutcome =
  | { readonly ok: true; readonly result: SSHCommandResult }
  | { readonly ok: false; readonly code: SSHFailureCode; readonly phase: SSHPhase; readonly message: string };

export type ExecOnceReport = {
  readonly outcome: ExecOnceOutcome;
  readonly elapsedMs: number;
  /** Sockets, timers and look-ups that were there when the call settled and had not been before. */
  readonly leftOpen: readonly string[];
  readonly abortListenersLeft: number;
  /** Uncaught exceptions and unhandled rejections; later ones show in the exit code. */
  readonly strays: readonly string[];
};

const strays: string[] = [];
for (const event of ['uncaughtException', 'unhandledRejection'])
  process.on(event, (error: unknown) => {
    strays.push(`${event}: ${String(error)}`);
    process.exitCode = 1;
  });

const {
  aborted = false,
  runs = 1,
  withoutDescriptors = false,
  busyWith,
  ...options
} = (await json(process.stdin)) as ExecOnceOrders;
const controller = new AbortController();
if (aborted) controller.abort();

async function execOnce(): Promise<ExecOnceOutcome> {
  try {
    return { ok: true, result: await execSSHCommand({ ...options, signal: controller.signal }) };
  } catch (error) {
    if (!(error instanceof SSHCommandError)) throw error;
    const { code, phase, message } = error;
    return { ok: false, code, phase, message };
  }
}

/** What `after` has and `before` has not, with repetitions. */
function added(before: readonly string[], after: readonly string[]): string[] {
  const rest = [...before];
  return after.filter((name) => {
    const at = rest.indexOf(name);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
}

if (withoutDescriptors)
  try {
    for (;;) openSync(devNull, 'r');
  } catch {
    // That was the last one.
  }
if (busyWith !== undefined) open(busyWith, 'r', (_error, descriptor) => closeSync(descriptor));

const resourcesBefore = process.getActiveResourcesInfo();
const startedAt = performance.now();
let outcome = await execOnce();
for (let run = 1; run < runs; run += 1) outcome = await execOnce();
const report: ExecOnceReport = {
  outcome,
  elapsedMs: performance.now() - startedAt,
  leftOpen: added(resourcesBefore, process.getActiveResourcesInfo()),
  abortListenersLeft: getEventListeners(controller.signal, 'abort').length,
  strays,
};
process.stdout.write(`${JSON.stringify(report)}\n`);
