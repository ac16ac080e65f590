import { and, eq, sql, type SQL } from 'drizzle-orm';
import { subscriptions, type Subscription } from './schema.ts';

/** A VPS is active, and so is swept, when its subscription is active and its machine was provisioned and is ready. */
export const isWatched = ({ status, vpsProvisioned, provisioningStatus }: Subscription): boolean =>
  status === 'active' && vpsProvisioned && provisioningStatus === 'ready';

/** The same as a condition on `subscriptions`; exactly the columns of its index. */
export const watched = (): SQL =>
  and(
    eq(subscriptions.status, 'active'),
    eq(subscriptions.vpsProvisioned, true),
    eq(subscriptions.provisioningStatus, 'ready'),
  ) ?? sql`true`;
