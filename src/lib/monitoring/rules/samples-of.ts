import type { Check } from './transition.ts';
import type { Verdict } from './verdict.ts';
import type { SampleState } from '../../history/rules/spans.ts';

type Sample = { readonly at: Date; readonly state: SampleState; readonly probeMs: number | null };

const STATE: Record<Verdict['kind'], SampleState> = {
  healthy: 'healthy',
  not_active: 'unhealthy',
  misconfigured: 'unhealthy',
  unreachable: 'down',
  // Between two states for the first time: neither is known yet.
  in_transition: 'unknown',
  inconclusive: 'unknown',
};

/**
 * What the history keeps of a check: what the look found, and, where a restart brought the service back, that it was up
 * from then on. Of a look that was given up there is nothing to keep.
 */
export function samplesOf({ lookedAt, at, verdict, healing, maintenance, probeMs }: Check): readonly Sample[] {
  if (verdict.kind === 'inconclusive' && verdict.cause === 'aborted') return [];
  if (maintenance) return [{ at: lookedAt, state: 'maintenance', probeMs }];
  const looked: Sample = { at: lookedAt, state: STATE[verdict.kind], probeMs };
  const restarted = healing.action === 'restart' && healing.outcome.outcome === 'succeeded';
  return restarted ? [looked, { at, state: 'healthy', probeMs: null }] : [looked];
}
