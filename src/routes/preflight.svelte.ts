import type { StepOutcome } from '$lib/facts/preflight';
import type { PreflightLine } from './preflight-stream';

/** A preflight that this page shows while it runs; where it cannot, the form is sent as without scripts. */
export class LivePreflight {
  outcomes = $state<StepOutcome[]>([]);
  isRunning = $state(false);
  refused = $state<string | null>(null);
  end = $state<{ readonly passed: boolean; readonly href: string | null } | null>(null);

  /** Sends the form to `url`, and shows what comes back as it comes. */
  async run(form: HTMLFormElement, url: string): Promise<void> {
    [this.outcomes, this.refused, this.end, this.isRunning] = [[], null, null, true];
    try {
      const response = await fetch(url, { method: 'POST', body: new FormData(form) });
      // Something is wrong with the form, or the session has ended: that is for the page to say.
      if (!isLive(response) || response.body === null) {
        form.submit();
        return;
      }
      for await (const line of linesOf(response.body)) this.#take(JSON.parse(line) as PreflightLine);
      if (this.end === null && this.refused === null) this.refused = LOST;
    } catch {
      this.refused = LOST;
    }
    this.isRunning = false;
  }

  #take(line: PreflightLine): void {
    if (line.kind === 'step') this.outcomes.push(line.outcome);
    else if (line.kind === 'end') this.end = line;
    else this.refused = line.message;
  }
}

const isLive = ({ ok, headers }: Response): boolean => ok && headers.get('content-type') === 'application/x-ndjson';

const LOST = 'The connection to Wardround was lost in the middle of it. Send it once more.';

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}
