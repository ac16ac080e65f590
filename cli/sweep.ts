import type { Command } from 'commander';
import type { App } from '../src/lib/app.ts';
import { createLog, type Log } from '../src/lib/log.ts';
import { runHealthSweep } from '../src/lib/monitoring/sweep.ts';
import { jsonOption, withApp, type JsonOption } from './context.ts';
import { FAILED } from './caller.ts';
import { clearBar, drawBar, printJson } from './output.ts';

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
    ...(bar ? { onProgress: ({ done, total }) => drawBar(done, total) } : {}),
  });
  process.off('SIGINT', onSignal).off('SIGTERM', onSignal);

  if (bar && result.kind !== 'busy') clearBar();
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
