import { eq } from 'drizzle-orm';
import type { Settings } from '../config.ts';
import type { Transaction } from '../db/client.ts';
import { users, type Incident, type Subscription } from '../db/schema.ts';
import { countRestarts } from './incident-store.ts';
import type { HealthState } from './rules/transition.ts';
import type { MessageFacts } from '../facts/message.ts';

/** What a message about this VPS has to tell from, as things are now. */
export function vpsFacts(
  tx: Transaction,
  subscription: Subscription,
  next: HealthState,
  {
    at,
    incident,
    settings,
  }: { at: Date; incident: Incident | null; settings: Pick<Settings, 'breaker' | 'monitoredService'> },
): Extract<MessageFacts, { about: 'vps' }> {
  const customer = tx.select().from(users).where(eq(users.id, subscription.userId)).get();
  const { circuitOpenedAt } = next;
  return {
    about: 'vps',
    atMs: at.getTime(),
    vps: {
      id: subscription.id,
      customer: customer?.name ?? customer?.email ?? '',
      host: subscription.vpsIpAddress ?? '',
      port: subscription.sshPort,
      service: subscription.serviceName ?? settings.monitoredService,
    },
    incident: incident && {
      id: incident.id,
      openedAtMs: incident.openedAt.getTime(),
      endedAtMs: incident.endedAt?.getTime() ?? null,
      cause: incident.cause,
      failedChecks: incident.failedChecks,
      restarts: countRestarts(tx, incident.id),
    },
    error: next.lastError,
    cause: next.lastErrorCode,
    trialAtMs: circuitOpenedAt === null ? null : circuitOpenedAt.getTime() + settings.breaker.cooldownMs,
  };
}
