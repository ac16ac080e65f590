import type { App } from '../app.ts';
import { createLog } from '../log.ts';
import { traceWith } from '../metrics/tracing.ts';
import type { RunningJob } from '../schedule.ts';

/** Sends traces where the settings say, from now on; null: they say nothing, and nothing of it is loaded. */
export async function startTracing(app: App): Promise<RunningJob | null> {
  const { tracesEndpoint } = app.settings;
  if (tracesEndpoint === null) return null;
  const { TraceExport } = await import('./trace-export.ts');
  const exported = new TraceExport(`${tracesEndpoint}/v1/traces`, createLog('tracing'));
  traceWith(app, exported.root);
  return exported;
}
