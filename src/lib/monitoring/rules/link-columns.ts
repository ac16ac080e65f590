import type { HealthCheck } from '../../db/schema.ts';
import { isLinkLimit, type LinkFacts } from '../../facts/link.ts';

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
