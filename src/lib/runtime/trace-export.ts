import { ROOT_CONTEXT, SpanStatusCode, trace, type Context } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { maskSecretsIn } from '../facts/mask-secrets.ts';
import type { Log } from '../log.ts';
import type { Span } from '../metrics/tracing.ts';
import type { RunningJob } from '../schedule.ts';

/** A sweep of ten thousand VPSs has two thousand batches; what is more than that is dropped. */
const MOST_WAITING = 8_192;
const SEND_EACH_MS = 2_000;
const SEND_PATIENCE_MS = 5_000;

/** Spans on their way to a collector, as JSON by HTTP (OTLP). A collector that is gone costs the traces and nothing else. */
export class TraceExport implements RunningJob {
  readonly name = 'export of traces';
  readonly root: Span;
  readonly #provider: TracerProvider;
  readonly #log: Log;
  #isTold = false;
  #open = 0;
  #closed: () => void = () => undefined;

  constructor(url: string, log: Log) {
    this.#log = log;
    const exporter = new OTLPTraceExporter({ url, timeoutMillis: SEND_PATIENCE_MS });
    const processor = new BatchSpanProcessor({
      exporter: {
        export: (spans, done) =>
          exporter.export(spans, (result) => {
            this.#tell(result.error ?? null);
            done(result);
          }),
        forceFlush: () => exporter.forceFlush(),
        shutdown: () => exporter.shutdown(),
      },
      maxQueueSize: MOST_WAITING,
      scheduledDelayMillis: SEND_EACH_MS,
      exportTimeoutMillis: SEND_PATIENCE_MS,
    });
    const service = process.env.OTEL_SERVICE_NAME || 'wardround';
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': service, 'process.pid': process.pid }),
      spanProcessors: [processor],
    });
    this.root = this.#within(ROOT_CONTEXT);
  }

  /** Waits for what is under way, and sends the rest. */
  async stop(patience: AbortSignal): Promise<void> {
    if (this.#open > 0 && !patience.aborted)
      await new Promise<void>((resolve) => {
        this.#closed = resolve;
        patience.addEventListener('abort', () => resolve(), { once: true });
      });
    await this.#provider.shutdown().catch((error: unknown) => this.#tell(error as Error));
  }

  #within(context: Context): Span {
    return {
      begin: (name, facts) => {
        const attributes = Object.fromEntries(Object.entries(facts).map(([key, value]) => [`wardround.${key}`, value]));
        const span = this.#provider.getTracer('wardround').startSpan(name, { attributes }, context);
        this.#open++;
        return {
          ...this.#within(trace.setSpan(context, span)),
          end: (found = {}, failed = false) => {
            for (const [key, value] of Object.entries(found)) span.setAttribute(`wardround.${key}`, value);
            if (failed) span.setStatus({ code: SpanStatusCode.ERROR });
            span.end();
            if (--this.#open === 0) this.#closed();
          },
        };
      },
      end: () => undefined,
    };
  }

  /** Once when it begins to fail, once when it works again. The endpoint may hold a password. */
  #tell(error: Error | null): void {
    if ((error !== null) === this.#isTold) return;
    this.#isTold = error !== null;
    if (error === null) this.#log.info('traces get through again');
    else
      this.#log.error(
        `traces do not get through (setting OTEL_EXPORTER_OTLP_ENDPOINT): ${maskSecretsIn(error.message)}`,
      );
  }
}
