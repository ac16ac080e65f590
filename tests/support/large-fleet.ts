import type { App } from '../../src/lib/app.ts';
import { write } from '../../src/lib/db/client.ts';
import { healthChecks, subscriptions, users, vpsLabels } from '../../src/lib/db/schema.ts';
import { recordSample } from '../../src/lib/history/sample-store.ts';

const REGIONS = ['fsn1', 'hel1', 'nbg1', 'ash'];
const MINUTE_MS = 60_000;
const digits = (index: number): string => String(index).padStart(4, '0');

/** What is shown of the VPS with this index; `vps-0007` belongs to `Customer 0007`. */
export const largeFleetId = (index: number): string => `vps-${digits(index)}`;
export const customerOf = (index: number): string => `Customer ${digits(index)}`;

/** Many VPSs with a state and the last 60 checks each, for lists; nobody can log in there. Every tenth one is down; labels by turns. */
export const addLargeFleet = (app: App, size: number, now: Date): Promise<void> =>
  write(app.db, (tx) => {
    for (let index = 0; index < size; index++) {
      const userId = `user-${digits(index)}`;
      const state = index % 10 === 9 ? 'down' : 'healthy';
      const email = `customer-${digits(index)}@example.test`;
      tx.insert(users)
        .values({ id: userId, email, name: customerOf(index) })
        .run();
      tx.insert(subscriptions)
        .values({
          id: largeFleetId(index),
          userId,
          vpsProvisioned: true,
          provisioningStatus: 'ready',
          vpsIpAddress: `10.${Math.floor(index / 250)}.0.${1 + (index % 250)}`,
          createdAt: new Date(index),
        })
        .run();
      tx.insert(vpsLabels)
        .values([
          { vpsId: largeFleetId(index), name: 'provider', value: index % 3 === 0 ? 'hetzner' : 'ovh' },
          { vpsId: largeFleetId(index), name: 'region', value: REGIONS[index % REGIONS.length] ?? '' },
          ...(index % 10 === 9 ? [{ vpsId: largeFleetId(index), name: 'canary', value: '' }] : []),
        ])
        .run();
      tx.insert(healthChecks)
        .values({
          userId,
          status: state,
          consecutiveFailures: state === 'down' ? 1 : 0,
          lastError: state === 'down' ? 'the host refused the connection' : null,
          lastCheckAt: now,
          lastProbeMs: 100 + (index % 400),
          totalChecks: 60,
        })
        .run();
      for (let minute = 59; minute >= 0; minute--)
        recordSample(
          tx,
          { userId, at: new Date(now.getTime() - minute * MINUTE_MS), state, probeMs: 100 + (index % 400) },
          app.settings.history.sampleValidMs,
        );
    }
  });
