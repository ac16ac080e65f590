import { LINK_LIMITS, type LinkFacts, type LinkKind } from '../facts/link.ts';

const KINDS: Readonly<Record<LinkKind, string>> = {
  fresh: 'a connection for each look',
  kept: 'one connection, kept from look to look',
  bus: "systemd's own bus, over a kept connection",
};

/** `systemd's own bus, over a kept connection`. */
export const linkInWords = (link: Pick<LinkFacts, 'kind'> | null): string =>
  link === null ? 'none yet' : KINDS[link.kind];

/** Why it is not a better one, with what the host said, and what would change that; null where it is the best there is. */
export function linkLimitInWords(link: Pick<LinkFacts, 'limit' | 'detail'> | null): {
  readonly why: string;
  readonly todo: string | null;
} | null {
  if (link === null || link.limit === null) return null;
  const { why, todo } = LINK_LIMITS[link.limit];
  return { why: link.detail === null ? why : `${why}: ${link.detail}`, todo };
}
