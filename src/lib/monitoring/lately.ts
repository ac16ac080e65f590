import { partOf, type App } from '../app.ts';
import { intervalOf } from '../schedule.ts';
import type { DueVps } from './fleet.ts';
import type { Look } from './look.ts';
import { Lately, NOTHING_BEFORE, type Before } from './rules/lately.ts';
import { hasStopped, type RoundRules, type Step } from './rules/round.ts';

type Kind = RoundRules['kind'];

/** What the rounds of this process have seen and sent of late. */
const latelyOf = (app: App): Lately => partOf(app, 'lately', () => new Lately());

const intervalMsOf = ({ settings }: App): number => intervalOf(settings.healthCheckCron);

/** What counts into a round over these VPSs. */
export function beforeRound(app: App, kind: Kind, due: readonly DueVps[]): Before {
  const sinceMs = performance.now() - intervalMsOf(app);
  switch (kind) {
    case 'sweep': {
      const down = new Set(due.filter(({ state }) => state.status !== 'healthy').map(idOf));
      return latelyOf(app).beforeSweep((id) => down.has(id), sinceMs);
    }
    case 'news':
      return latelyOf(app).beforeNews(due.map(idOf), sinceMs);
    case 'request':
      return NOTHING_BEFORE;
  }
}

/** A look without the restart that it calls for, where its VPS has had the one of this interval. */
export const tempered =
  (app: App, kind: Kind) =>
  (look: Look): Look => {
    if (look.decision.action !== 'restart' || kind === 'request') return look;
    const vps = { id: idOf(look.vps), restartedAt: look.vps.restarts };
    const at = { nowMs: performance.now(), now: new Date(), intervalMs: intervalMsOf(app) };
    return latelyOf(app).isSpent(kind, vps, at)
      ? { ...look, decision: { action: 'none', reason: 'restarted_lately' } }
      : look;
  };

/** Remembers what a round has seen stop, and restarts. */
export function noteLately(app: App, kind: Kind, looks: readonly Look[], steps: readonly Step<Look>[]): void {
  const lately = latelyOf(app);
  const seen = { atMs: performance.now(), onNews: kind === 'news' };
  for (const look of looks) if (hasStopped(look)) lately.noteStop(idOf(look.vps), seen);
  for (const step of steps) if (step.do === 'heal') lately.noteRestart(idOf(step.look.vps), seen);
}

const idOf = ({ subscription }: DueVps): string => subscription.id;
