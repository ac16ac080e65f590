/** Readings that go on, by what to call when one of their requests gets no answer. */
const readings = new Set<() => void>();
let isGuarded = false;

/**
 * Does `read` (an invalidation), and spares the page when the server is not there: SvelteKit answers a data request that
 * fails with a real navigation, and that puts the browser's own error page in place of this one. Such a request is left
 * without an answer instead, so that everything stays as it is. Gives whether the server was there.
 */
export async function readAgain(read: () => Promise<unknown>): Promise<boolean> {
  guardFetch();
  const { promise: failed, resolve } = Promise.withResolvers<false>();
  const onFailure = (): void => resolve(false);
  readings.add(onFailure);
  const done = read().then(
    () => true,
    () => false,
  );
  const wasThere = await Promise.race([done, failed]);
  readings.delete(onFailure);
  return wasThere;
}

/** SvelteKit takes `window.fetch` at each request, so that it can be another one. */
function guardFetch(): void {
  if (isGuarded) return;
  isGuarded = true;
  const fetch = window.fetch.bind(window);
  window.fetch = async (...request) => {
    if (readings.size === 0 || !isOfThisPage(request[0])) return fetch(...request);
    const response = await fetch(...request).catch(() => null);
    if (response !== null && response.status < 500) return response;
    for (const onFailure of readings) onFailure();
    return new Promise<never>(() => undefined);
  };
}

/** Not what a click elsewhere asks for meanwhile. */
function isOfThisPage(request: RequestInfo | URL): boolean {
  const url = URL.parse(request instanceof Request ? request.url : String(request), location.href);
  return url?.pathname === `${location.pathname.replace(/\/$/, '')}/__data.json`;
}
