export type StreamEvent = { readonly name: string; readonly data: string };

export type EventStream = {
  readonly response: Response;
  /** Everything that has come so far, comments too. */
  text(): string;
  /** The first event, from the beginning on, that is as wanted. Rejects when the stream ends without it. */
  event(name: string, isWanted?: (data: Record<string, unknown>) => boolean): Promise<StreamEvent>;
  events(): StreamEvent[];
  /** Resolves when the server has ended the stream. */
  readonly ended: Promise<void>;
  close(): void;
};

const parse = (text: string): StreamEvent[] =>
  text
    .split('\n\n')
    .slice(0, -1)
    .flatMap((block) => {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
      const name = field('event');
      return name === undefined ? [] : [{ name, data: field('data') ?? '' }];
    });

/** Reads `/live` as a browser does. */
export async function openEventStream(url: string, cookie: string): Promise<EventStream> {
  const abort = new AbortController();
  const headers = { cookie, accept: 'text/event-stream' };
  const response = await fetch(`${url}/live`, { headers, redirect: 'manual', signal: abort.signal });
  let text = '';
  let isOver = false;
  const waiting = new Set<() => void>();
  const read = async (): Promise<void> => {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk, { stream: true });
        for (const look of waiting) look();
      }
    } catch {
      // Broken off, by either side: that is an end too.
    }
    isOver = true;
    for (const look of waiting) look();
  };
  const ended = read();
  return {
    response,
    text: () => text,
    events: () => parse(text),
    event: (wanted, isWanted = () => true) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = parse(text).find(
            ({ name, data }) => name === wanted && isWanted(JSON.parse(data) as Record<string, unknown>),
          );
          if (!found && !isOver) return;
          waiting.delete(look);
          if (found) resolve(found);
          else reject(new Error(`the stream ended without such a "${wanted}":\n${text}`));
        };
        waiting.add(look);
        look();
      }),
    ended,
    close: () => abort.abort(),
  };
}
