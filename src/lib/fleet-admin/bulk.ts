import type { App } from '../app.ts';
import type { Actor } from '../auth/actor.ts';
import type { BulkAction, BulkResult } from '../views/bulk-words.ts';
import { RefusedError } from './fleet-admin.ts';
import { parseMaintenance } from './maintenance-request.ts';
import { checkNow, resetCircuit, setMaintenance, setVpsHealing, type Acted } from './vps-actions.ts';

const HOUR = { for: '1h' };

function carryOut(app: App, actor: Actor, action: BulkAction, vpsIds: readonly string[], now: Date): Promise<Acted> {
  switch (action) {
    case 'check':
      return checkNow(app, actor, vpsIds);
    case 'reset':
      return resetCircuit(app, actor, vpsIds, now);
    case 'maintenance': {
      const parsed = parseMaintenance(HOUR, now);
      if ('problems' in parsed) throw new Error(parsed.problems.join('; '));
      return setMaintenance(app, actor, vpsIds, parsed.window, now);
    }
    case 'endMaintenance':
      return setMaintenance(app, actor, vpsIds, 'end', now);
    case 'pause':
    case 'resume':
      return setVpsHealing(app, actor, vpsIds, action === 'resume', now);
  }
}

/** Does it to all of these VPSs that it can be done to, for admins. What could not be done is part of the result. */
export async function actOnMany(
  app: App,
  actor: Actor,
  { action, vpsIds }: { readonly action: BulkAction; readonly vpsIds: readonly string[] },
  now: Date,
): Promise<BulkResult> {
  const asked = [...new Set(vpsIds)];
  try {
    const { vpsIds: done } = await carryOut(app, actor, action, asked, now);
    return { kind: 'done', action, asked: asked.length, done: done.length };
  } catch (problem) {
    if (!(problem instanceof RefusedError)) throw problem;
    return { kind: 'refused', action, reason: problem.message };
  }
}
