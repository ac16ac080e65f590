import { invalidate } from '$app/navigation';
import { ServerClock } from '$lib/components/clock.svelte';

const TICK_MS = 1_000;
const REFRESH_MS = 5_000;

/**
 * A page's clock, ticking, and its data read again every few seconds while someone looks. Call it while a component is
 * set up. `key` is what the page's load function depends on.
 */
export function keepFresh(key: `wardround:${string}`, serverNow: () => Date): ServerClock {
  const clock = new ServerClock(serverNow());
  $effect(() => clock.sync(serverNow()));
  $effect(() => {
    const tick = setInterval(() => clock.tick(), TICK_MS);
    const refresh = setInterval(() => {
      // A server that is being restarted is no reason for an error page: the next time will do.
      if (document.visibilityState === 'visible') invalidate(key).catch(() => undefined);
    }, REFRESH_MS);
    return () => {
      clearInterval(tick);
      clearInterval(refresh);
    };
  });
  return clock;
}
