import { sql } from 'drizzle-orm';
import { partOf, type App } from '../app.ts';
import { watchSession } from '../auth/session-end.ts';
import type { SignedIn } from '../auth/session.ts';
import { dataVersion } from '../db/client.ts';
import { subscribe, tell } from './bus.ts';
import {
  addChange,
  encodeEvent,
  messageForAdmins,
  messageForAll,
  messageForOwner,
  NO_CHANGES,
} from './rules/changes.ts';

/** Four messages a second at most, however fast the sweep is; two, when so many read that writing takes its time. */
const GAP_MS = 250;
const GAP_OF_MANY_MS = 500;
const MANY = 100;
const HEARTBEAT_MS = 15_000;
/** Other processes write too (the command line, the server that sweeps while this one stands by), and tell nobody. */
const LOOK_FOR_OTHERS_MS = 1_000;
/** What a reader may leave unread, beyond what the socket holds; then it gets one message for everything it missed. */
const UNREAD_BYTES = 16_384;
/** No person has that many pages open; a script of one customer must not take what is meant for all. */
const STREAMS_PER_USER = 100;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const WELCOME = bytes('retry: 2000\n\n');
/** A comment keeps proxies from hanging up, an event tells the page that nobody has. */
const HEARTBEAT = bytes(`: still here\n${encodeEvent('alive', {})}`);
const END = bytes(encodeEvent('end', {}));
const EVERYTHING = bytes(messageForAll());

type Reader = {
  readonly actor: SignedIn['actor'];
  send(message: Uint8Array): void;
  /** With a last message, if there is one. */
  close(last?: Uint8Array): void;
};

/** All streams of a server: one ear on the bus, one clock, and at most one query a message for all of them. */
class StreamHub {
  readonly #app: App;
  readonly #readers = new Set<Reader>();
  #changes = NO_CHANGES;
  #flush: NodeJS.Timeout | undefined;
  #flushedAtMs = -Infinity;
  #rest: (() => void) | null = null;
  #closed = false;

  constructor(app: App) {
    this.#app = app;
  }

  open({ actor, session }: SignedIn): ReadableStream<Uint8Array> | null {
    const own = [...this.#readers].filter((reader) => reader.actor.userId === actor.userId);
    if (this.#closed || own.length >= STREAMS_PER_USER) return null;
    let behind = false;
    let leave = (): void => undefined;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          const hasRoom = (): boolean => (controller.desiredSize ?? 0) > 0;
          const reader: Reader = {
            actor,
            send: (message) => {
              if (hasRoom() && !behind) controller.enqueue(message);
              else behind = true;
            },
            close: (last) => {
              leave();
              if (last) controller.enqueue(last);
              controller.close();
            },
          };
          const unwatch = watchSession(this.#app, session, () => reader.close(END));
          leave = () => {
            unwatch();
            this.#remove(reader);
          };
          controller.enqueue(WELCOME);
          this.#add(reader);
        },
        pull: (controller) => {
          if (!behind) return;
          behind = false;
          controller.enqueue(EVERYTHING);
        },
        cancel: () => leave(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: UNREAD_BYTES }),
    );
  }

  /** Ends every stream, and lets no new one begin. */
  close(): void {
    this.#closed = true;
    for (const reader of this.#readers) reader.close();
  }

  #add(reader: Reader): void {
    this.#readers.add(reader);
    this.#rest ??= this.#work();
  }

  #remove(reader: Reader): void {
    this.#readers.delete(reader);
    if (this.#readers.size > 0) return;
    this.#rest?.();
    this.#rest = null;
  }

  /** While anybody reads. Returns how to stop. */
  #work(): () => void {
    const unsubscribe = subscribe(this.#app.db, (event) => {
      this.#changes = addChange(this.#changes, event);
      const gapMs = this.#readers.size > MANY ? GAP_OF_MANY_MS : GAP_MS;
      this.#flush ??= setTimeout(() => this.#tell(), Math.max(0, this.#flushedAtMs + gapMs - performance.now()));
    });
    const heartbeat = setInterval(() => {
      for (const reader of this.#readers) reader.send(HEARTBEAT);
    }, HEARTBEAT_MS);
    let seen = this.#dataVersion();
    const others = setInterval(() => {
      const version = this.#dataVersion();
      if (version !== seen) tell(this.#app.db, { kind: 'all' });
      seen = version;
    }, LOOK_FOR_OTHERS_MS);
    return () => {
      unsubscribe();
      clearInterval(heartbeat);
      clearInterval(others);
      clearTimeout(this.#flush);
      this.#flush = undefined;
      this.#changes = NO_CHANGES;
    };
  }

  /** Null where the database does not say: a disk that fails for a moment ends no server. */
  #dataVersion(): number | null {
    try {
      return dataVersion(this.#app.db);
    } catch {
      return null;
    }
  }

  #tell(): void {
    const changes = this.#changes;
    this.#changes = NO_CHANGES;
    this.#flush = undefined;
    this.#flushedAtMs = performance.now();
    const text = messageForAdmins(changes);
    if (text === null) return;
    const forAdmins = bytes(text);
    const customers = [...this.#readers].filter(({ actor }) => actor.role === 'customer');
    for (const reader of this.#readers) if (reader.actor.role === 'admin') reader.send(forAdmins);
    const messages = changes.all ? null : this.#messagesOfOwners(customers, changes.vpsIds);
    for (const reader of customers) {
      const message = messages === null ? EVERYTHING : messages.get(reader.actor.userId);
      if (message) reader.send(message);
    }
  }

  /** By user. Null: the database does not say, so everybody shall look. */
  #messagesOfOwners(customers: readonly Reader[], vpsIds: ReadonlySet<string>): Map<string, Uint8Array> | null {
    if (customers.length === 0 || vpsIds.size === 0) return new Map();
    const users = [...new Set(customers.map(({ actor }) => actor.userId))];
    try {
      const owned = this.#app.db.values<[string, string]>(sql`
        SELECT id, user_id FROM subscriptions
        WHERE id IN (SELECT value FROM json_each(${JSON.stringify([...vpsIds])}))
          AND user_id IN (SELECT value FROM json_each(${JSON.stringify(users)}))`);
      return new Map(owned.map(([id, userId]) => [userId, bytes(messageForOwner(id))]));
    } catch {
      return null;
    }
  }
}

const hubOf = (app: App): StreamHub => partOf(app, 'streams', () => new StreamHub(app));

/**
 * Server-sent events (HTML standard, 9.2) for one reader: `changed` with `{ all: true }` or `{ vps: ids, monitor }`,
 * `alive` every 15 seconds, `end` when the session is over. Customers hear of their own VPS only. What changed before
 * the stream began is not told: read everything once it is open. Null: too many streams, or the server is stopping.
 */
export const openStream = (app: App, signedIn: SignedIn): ReadableStream<Uint8Array> | null =>
  hubOf(app).open(signedIn);

/** Ends the streams of a server that stops. */
export const closeStreams = (app: App): void => hubOf(app).close();
