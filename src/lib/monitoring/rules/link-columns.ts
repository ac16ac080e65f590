import type { HealthCheck } from '../../db/schema.ts';
import { isLinkLimit, LINK_LIMITS, type LinkFacts } from '../../facts/link.ts';

export type LinkColumns = Pick<HealthCheck, 'linkKind' | 'linkSince' | 'linkLimit' | 'linkDetail' | 'linkNewsAt'>;

export const NO_LINK: LinkColumns = {
  linkKind: null,
  linkSince: null,
  linkLimit: null,
  linkDetail: null,
  linkNewsAt: null,
};

export const columnsOfLink = ({ kind, since, limit, detail, newsAt }: LinkFacts): LinkColumns => ({
  linkKind: kind,
  linkSince: since,
  linkLimit: limit,
  linkDetail: detail,
  linkNewsAt: newsAt,
});

/** The event of a login that could heal and cannot any more, or never could; null where nothing has changed. */
export const rightsLost = (
  before: Pick<LinkColumns, 'linkLimit'>,
  link: LinkFacts | null,
): { readonly kind: 'rights_lost'; readonly message: string } | null =>
  link?.limit === 'not_healable' && before.linkLimit !== 'not_healable'
    ? { kind: 'rights_lost', message: `${LINK_LIMITS.not_healable.why}; when it stops, it stays stopped` }
    : null;

/** What was written of the link at the last look; null: there was none. */
export const rememberedLink = (columns: LinkColumns): LinkFacts | null =>
  columns.linkKind === null || columns.linkSince === null
    ? null
    : {
        kind: columns.linkKind,
        since: columns.linkSince,
        limit: columns.linkLimit !== null && isLinkLimit(columns.linkLimit) ? columns.linkLimit : null,
        detail: columns.linkDetail,
        newsAt: columns.linkNewsAt,
      };
