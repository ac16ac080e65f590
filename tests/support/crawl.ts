/** What a page says of places: where its links, forms and files are. */
const PLACES = /\b(href|action|src)="([^"]*)"/g;

export type Crawled = {
  /** Every page that was seen, by its address. */
  readonly pages: ReadonlyMap<string, string>;
  /** Places of this origin that are outside of the site, or that do not answer: each with the page that names it. */
  readonly broken: readonly string[];
};

/**
 * Follows every link of the site that begins at `start`, as whoever has this cookie, and looks at where forms and files of
 */
export async function crawl(start: string, cookie: string): Promise<Crawled> {
  const { origin, pathname: site } = new URL(start);
  const pages = new Map<string, string>();
  const broken: string[] = [];
  const asked = new Set<string>();
  const waiting = [{ url: start, from: 'the start' }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { url, from } = next;
    // One of each kind is enough: the same page with another query has the same links.
    const page = url.replace(/[?#].*/, '');
    if (asked.has(page)) continue;
    asked.add(page);
    const response = await fetch(url, { headers: { cookie, accept: 'text/html' } });
    const isStream = response.headers.get('content-type') === 'text/event-stream';
    const body = isStream ? '' : await response.text();
    if (isStream) await response.body?.cancel();
    if (!response.ok || !new URL(response.url).pathname.startsWith(site))
      broken.push(`${from} leads to ${page}: ${response.status}`);
    if (response.headers.get('content-type')?.startsWith('text/html') !== true) continue;
    pages.set(page, body);
    for (const [, kind, place = ''] of body.matchAll(PLACES)) {
      const found = URL.parse(place.replaceAll('&amp;', '&'), response.url);
      if (found?.origin !== origin) continue;
      if (!found.pathname.startsWith(site)) broken.push(`${page} names ${place}`);
      else if (kind !== 'action') waiting.push({ url: found.href, from: page });
    }
  }
  return { pages, broken };
}
