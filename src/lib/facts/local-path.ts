/**
 * Path and search of an address of this site, as a place to lead somebody to; null for whatever a browser would read as
 * another place. Judged by parsing, and once more as the browser will: `/.//elsewhere.example` is a path of ours that is
 * written as `//elsewhere.example` afterwards. `origin` is scheme and host of this site.
 */
export function localPath(text: string, origin: string): string | null {
  if (!text.startsWith('/')) return null;
  const url = URL.parse(text, origin);
  if (url?.origin !== origin) return null;
  const path = `${url.pathname}${url.search}`;
  return URL.parse(path, origin)?.href === `${origin}${path}` ? path : null;
}
