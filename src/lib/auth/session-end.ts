import { and, eq, gt } from 'drizzle-orm';
import type { App } from '../app.ts';
import { sessions } from '../db/schema.ts';

const ENDED = 'sessions ended';

type Listener = (userId: string, exceptSessionId: string | null) => void;

/** To be called after commit, by whatever ends sessions of this process: all of the user's, or all but one. */
export const announceSessionsEnded = (
  { db }: Pick<App, 'db'>,
  userId: string,
  exceptSessionId: string | null = null,
): void => {
  db.events.emit(ENDED, userId, exceptSessionId);
};

/** Calls `listener` whenever sessions have ended in this process. Returns how to stop that. */
export function onSessionsEnded({ db }: Pick<App, 'db'>, listener: Listener): () => void {
  db.events.on(ENDED, listener);
  return () => db.events.off(ENDED, listener);
}

/** Sessions end in other processes too (the command line, a second server): those are noticed this late at most. */
const RECHECK_MS = 5_000;

export type LiveSession = { readonly id: string; readonly userId: string };

const isLive = ({ db }: App, { id, userId }: LiveSession, now: Date): boolean =>
  db
    .select({ id: sessions.id })
    .from(sessions)
    .where(and(eq(sessions.id, id), eq(sessions.userId, userId), gt(sessions.expiresAt, now)))
    .get() !== undefined;

/**
 * Calls `onEnd` once, as soon as the session is over: at once when this process ended it, otherwise within five
 * seconds. For what stays open longer than a request, such as a live stream. Returns how to stop watching.
 */
export function watchSession(app: App, session: LiveSession, onEnd: () => void): () => void {
  const stop = (): void => {
    unsubscribe();
    clearInterval(recheck);
  };
  const look = (): void => {
    if (isLiveAsFarAsKnown()) return;
    stop();
    onEnd();
  };
  // A disk that fails for a moment ends no server: the next look will tell.
  const isLiveAsFarAsKnown = (): boolean => {
    try {
      return isLive(app, session, new Date());
    } catch {
      return true;
    }
  };
  const unsubscribe = onSessionsEnded(app, (userId) => {
    if (userId === session.userId) look();
  });
  const recheck = setInterval(look, RECHECK_MS);
  recheck.unref();
  return stop;
}
