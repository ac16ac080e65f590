import { eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import type { Actor } from '../auth/actor.ts';
import { readLabels } from '../db/label-store.ts';
import { subscriptions, users } from '../db/schema.ts';
import { labelsInWords } from '../facts/label.ts';

/** What can be edited, as it is; the service as stored: null means the setting `MONITORED_SERVICE`. */
export type EditableVps = {
  readonly email: string;
  readonly name: string | null;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly service: string | null;
  /** As they are typed: `provider=hetzner, canary`. */
  readonly labels: string;
  readonly note: string | null;
  /** What it is logged in to with. */
  readonly key: 'own' | 'shared' | 'certificate';
};

/** Undefined: no such VPS, or not for this actor. */
export const readEditable = ({ db }: App, actor: Actor, id: string): EditableVps | undefined =>
  actor.role !== 'admin'
    ? undefined
    : db
        .select({
          email: users.email,
          name: users.name,
          host: subscriptions.vpsIpAddress,
          port: subscriptions.sshPort,
          user: subscriptions.sshUser,
          service: subscriptions.serviceName,
          note: subscriptions.note,
          keyId: subscriptions.sshKeyId,
          login: subscriptions.sshLogin,
        })
        .from(subscriptions)
        .innerJoin(users, eq(users.id, subscriptions.userId))
        .where(eq(subscriptions.id, id))
        .all()
        .map(({ keyId, login, ...row }) => ({
          ...row,
          host: row.host ?? '',
          key: login === 'certificate' ? login : keyId === null ? ('own' as const) : ('shared' as const),
          labels: labelsInWords(readLabels(db, eq(subscriptions.id, id)).get(id) ?? []),
        }))[0];
