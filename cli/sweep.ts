import { withCommas } from '../src/lib/facts/time-words.ts';
import type { Command } from 'commander';
import type { App } from '../src/lib/app.ts';
import { createLog, type Log } from '../src/lib/log.ts';
import { runHealthSweep, type SweepProgress } from '../src/lib/monitoring/sweep.ts';
import { jsonOption, withApp, type JsonOption } from './context.ts';
import { FAILED } from './caller.ts';
import { printJson } from './output.ts';

const BAR_WIDTH = 30;

/** `wardround sweep`. */
export function fillSweep(sweep: Command): void {
  sweep.addOption(jsonOption()).action(({ json }: JsonOption) =>
    withApp(async (app) => {
      if (!(await sweepOnce(app, json === true))) process.exitCode = FAILED;
    }),
  );
}

/** One sweep, now. Returns whether every VPS that was to be checked is healthy. */
async function sweepOnce(app: App, json: boolean): Promise<boolean> {
  const bar = !json && process.stderr.isTTY;
  const lines = createLog('health-checker');
  const held: string[] = [];
  // Lines in the middle of a bar would tear it: those of a terminal follow when it is done, healthy VPSs left out.
  const hold = (line: string) => {
    if (!/: healthy \(check #\d+\)$/.test(line)) held.push(line);
  };
  const log: Log = json
    ? { info: () => undefined, error: (line) => lines.error(line) }
    : bar
      ? { info: hold, error: hold }
      : lines;

  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  const result = await runHealthSweep(app, {
    log,
    stop: { probes: stop.signal, restarts: new AbortController().signal },
    ...(bar ? { onProgress: drawBar } : {}),
  });
  process.off('SIGINT', onSignal).off('SIGTERM', onSignal);

  if (bar && result.kind !== 'busy') process.stderr.write('\r\u001b[K');
  for (const line of held) lines.info(line);
  if (result.kind === 'busy') {
    const message = `a sweep is running already, in process ${result.pid}; nothing was done, try again when it has ended`;
    if (json) printJson({ kind: 'busy', pid: result.pid, message });
    console.error(`error: ${message}`);
    return false;
  }
  if (json) printJson({ kind: result.kind, ...result.summary });
  return (
    result.kind === 'completed' && result.summary.unhealthy + result.summary.unchecked + result.summary.waiting === 0
  );
}

function drawBar({ done, total }: SweepProgress): void {
  const filled = total === 0 ? BAR_WIDTH : Math.round((done / total) * BAR_WIDTH);
  process.stderr.write(
    `\r${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)} ${withCommas(done)} of ${withCommas(total)}\u001b[K`,
  );
}
