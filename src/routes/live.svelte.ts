import { invalidate, invalidateAll } from '$app/navigation';
import { resolve } from '$app/paths';
import { navigating } from '$app/state';
import { ServerClock } from '$lib/components/clock.svelte';
import { readAgain } from './read-again';

const TICK_MS = 1_000;
/** Between two readings; with what the server gathers, a row turns within a second and a half of the commit. */
const READ_GAP_MS = 1_000;
/** Even when nobody says that something has changed. */
const READ_ANYWAY_MS = 60_000;
const RETRY_FIRST_MS = 1_000;
const RETRY_MOST_MS = 10_000;
/** The server gives a sign of life each 15 s; a laptop that slept finds a connection that is dead and does not know it. */
const SILENCE_MS = 40_000;
/** A page in the background lets go of its connection: a browser has six for a server, and maybe a dozen tabs. */
const HIDDEN_MS = 30_000;

type Key = `wardround:${string}`;
/** What the frame of every page depends on. */
const WATCH: Key = 'wardround:watch';

/** The one stream of this page, and the data that it keeps fresh. Only in a browser. */
class LiveConnection {
  /** Whether the page can rely on hearing of changes. */
  state = $state<'idle' | 'opening' | 'live' | 'reconnecting'>('idle');
  readonly #keys = new Map<Key, number>();
  #source: EventSource | null = null;
  #failures = 0;
  #retry: Timer;
  #silence: Timer;
  #hide: Timer;
  #leave: Timer;
  #reading: Timer;
  #readAtMs = -Infinity;
  #isReading = false;
  #isStale = false;

  /** Keeps what depends on `key` fresh until the returned function is called. */
  join(key: Key): () => void {
    this.#keys.set(key, (this.#keys.get(key) ?? 0) + 1);
    clearTimeout(this.#leave);
    if (this.state === 'idle') this.#open();
    // What changed between the load of this page and now was told to nobody.
    else this.refresh();
    document.addEventListener('visibilitychange', this.#onVisibility);
    const anyway = setInterval(() => this.refresh(), READ_ANYWAY_MS);
    return () => {
      clearInterval(anyway);
      const users = (this.#keys.get(key) ?? 1) - 1;
      if (users > 0) this.#keys.set(key, users);
      else this.#keys.delete(key);
      // The next page may want it too.
      clearTimeout(this.#leave);
      this.#leave = setTimeout(() => this.#keys.size === 0 && this.#close(), READ_GAP_MS);
    };
  }

  /** Something has changed: read it again, soon. */
  refresh(): void {
    this.#isStale = true;
    this.#schedule();
  }

  #open(): void {
    if (this.state === 'idle') this.state = 'opening';
    clearTimeout(this.#retry);
    this.#source?.close();
    const source = new EventSource(resolve('/live'));
    this.#source = source;
    const heard = (): void => {
      clearTimeout(this.#silence);
      this.#silence = setTimeout(() => this.#fail(), SILENCE_MS);
    };
    heard();
    source.onopen = () => {
      heard();
      this.#failures = 0;
      this.state = 'live';
      // Whatever happened since the page was read, or while there was no stream.
      this.refresh();
    };
    source.onerror = () => this.#fail();
    source.addEventListener('alive', heard);
    source.addEventListener('changed', () => {
      heard();
      this.refresh();
    });
    source.addEventListener('end', () => {
      this.#close();
      // The session is over: the server leads every reading to the sign-in.
      void readAgain(invalidateAll);
    });
  }

  /** Not left to the browser: it gives up for good when a proxy answers in place of the server. */
  #fail(): void {
    this.#source?.close();
    clearTimeout(this.#silence);
    this.state = 'reconnecting';
    // A stream that is refused while the server is there: perhaps nobody is signed in any more, and reading tells.
    if (this.#failures > 0) this.refresh();
    const waitMs = Math.min(RETRY_FIRST_MS * 2 ** this.#failures++, RETRY_MOST_MS);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#open(), waitMs * (0.75 + Math.random() / 2));
  }

  #close(): void {
    this.#source?.close();
    this.#source = null;
    for (const timer of [this.#retry, this.#silence, this.#hide, this.#reading]) clearTimeout(timer);
    this.#reading = undefined;
    this.#isStale = false;
    this.state = 'idle';
    document.removeEventListener('visibilitychange', this.#onVisibility);
  }

  readonly #onVisibility = (): void => {
    clearTimeout(this.#hide);
    if (document.visibilityState === 'hidden') {
      this.#hide = setTimeout(() => {
        this.#source?.close();
        this.#source = null;
        clearTimeout(this.#silence);
        clearTimeout(this.#retry);
      }, HIDDEN_MS);
    } else if (this.#source === null) this.#open();
    else this.#schedule();
  };

  #schedule(): void {
    if (this.#reading !== undefined || this.#isReading || !this.#isStale) return;
    if (document.visibilityState === 'hidden') return;
    const waitMs = Math.max(0, this.#readAtMs + READ_GAP_MS - performance.now());
    this.#reading = setTimeout(() => void this.#read(), waitMs);
  }

  async #read(): Promise<void> {
    this.#reading = undefined;
    this.#readAtMs = performance.now();
    // Reading now would call off the click that is on its way.
    if (navigating.to === null) {
      this.#isStale = false;
      this.#isReading = true;
      const keys: Key[] = [...this.#keys.keys(), WATCH];
      const isServerThere = await readAgain(() => Promise.all(keys.map((key) => invalidate(key))));
      this.#isReading = false;
      if (!isServerThere && this.state === 'live') this.#fail();
    }
    this.#schedule();
  }
}

type Timer = ReturnType<typeof setTimeout> | undefined;

export const live = new LiveConnection();

/**
 * The clock of the frame around all pages, ticking while `isWatching`, and what that knows of the sweeps read again each
 * minute also where no page hears of changes.
 */
export function keepWatching(serverNow: () => Date, isWatching: () => boolean): ServerClock {
  const clock = new ServerClock(serverNow());
  $effect(() => clock.sync(serverNow()));
  $effect(() => {
    if (!isWatching()) return;
    const tick = setInterval(() => clock.tick(), TICK_MS);
    const reading = setInterval(() => {
      if (document.visibilityState === 'visible' && navigating.to === null) void readAgain(() => invalidate(WATCH));
    }, READ_ANYWAY_MS);
    return () => {
      clearInterval(tick);
      clearInterval(reading);
    };
  });
  return clock;
}

/**
 * A page's clock, ticking, and its data read again when the server says that something has changed. Call it while a
 * component is set up. `key` is what the page's load function depends on.
 */
export function keepFresh(key: Key, serverNow: () => Date): ServerClock {
  const clock = new ServerClock(serverNow());
  $effect(() => clock.sync(serverNow()));
  $effect(() => {
    const tick = setInterval(() => clock.tick(), TICK_MS);
    const leave = live.join(key);
    return () => {
      clearInterval(tick);
      leave();
    };
  });
  return clock;
}
