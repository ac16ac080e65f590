import { databaseTrouble } from '$lib/db/trouble';
import type { StepOutcome } from '$lib/facts/preflight';
import type { Watcher } from '$lib/fleet-admin/preflight';
import { RefusedError } from '$lib/fleet-admin/the-vps';
import { createLog, messageOf } from '$lib/log';

/** A line each, as JSON, in this order. */
export type PreflightLine =
  | { readonly kind: 'step'; readonly outcome: StepOutcome }
  /** `href`: where it goes on; null: nothing was saved. */
  | { readonly kind: 'end'; readonly passed: boolean; readonly href: string | null }
  | { readonly kind: 'refused'; readonly message: string };

const log = createLog('web');

/** What the page says: the status of the answer is out by then. */
function whyNot(problem: unknown): string {
  if (problem instanceof RefusedError) return `Not done: ${problem.message}.`;
  const trouble = databaseTrouble(problem);
  log.error(`preflight: ${trouble?.title ?? 'a fault of Wardround'} (${messageOf(problem)})`);
  return trouble === null
    ? 'Not done, by a fault of Wardround: its log says more.'
    : `Not done. ${trouble.title} ${trouble.remedy}`;
}

/** Answers with the steps as they end. Whoever goes away ends it. */
export function streamPreflight(
  run: (watcher: Required<Watcher>) => Promise<{ readonly passed: boolean; readonly href: string | null }>,
): Response {
  const over = new AbortController();
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => {
      const send = (line: PreflightLine): void => {
        if (!over.signal.aborted) controller.enqueue(new TextEncoder().encode(`${JSON.stringify(line)}\n`));
      };
      const close = (): void => {
        if (!over.signal.aborted) controller.close();
      };
      void run({ signal: over.signal, onStep: (outcome) => send({ kind: 'step', outcome }) })
        .then((end) => send({ kind: 'end', ...end }))
        .catch((problem: unknown) => send({ kind: 'refused', message: whyNot(problem) }))
        .then(close);
    },
    cancel: () => over.abort(),
  });
  // Without the last one, nginx would keep lines until it has enough of them.
  return new Response(stream, { headers: { 'content-type': 'application/x-ndjson', 'x-accel-buffering': 'no' } });
}
