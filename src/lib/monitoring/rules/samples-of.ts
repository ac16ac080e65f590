import type { Check, RestartEnd } from './transition.ts';
import type { Verdict } from './verdict.ts';
import { traitsOf } from '../../facts/cause.ts';
import type { SampleState } from '../../history/rules/spans.ts';

type Sample = { readonly at: Date; readonly state: SampleState; readonly probeMs: number | null };

const STATE: Record<Verdict['kind'], SampleState> = {
  healthy: 'healthy',
  not_active: 'unhealthy',
  // However right it is to wait, it does not serve yet.
  starting: 'unhealthy',
  misconfigured: 'unhealthy',
  unreachable: 'down',
  // Between two states for the first time: neither is known yet.
  in_transition: 'unknown',
  inconclusive: 'unknown',
};

/** A host that answers without letting us see its service: neither up nor down is known. */
const stateOf = (verdict: Verdict): SampleState =>
  verdict.kind !== 'healthy' && traitsOf(verdict.cause).trouble === 'no_check' ? 'unknown' : STATE[verdict.kind];

/** What the history keeps of a look; null where it was given up: then there is nothing to keep. */
export function sampleOfLook({ lookedAt: at, verdict, maintenance, probeMs }: Check): Sample | null {
  if (verdict.kind === 'inconclusive' && verdict.cause === 'aborted') return null;
  return { at, state: maintenance ? 'maintenance' : stateOf(verdict), probeMs };
}

/** Where a restart brought the service back, it was up from then on; while it still starts, it is down. */
export function sampleOfRestart({ at, outcome }: Pick<RestartEnd, 'at' | 'outcome'>): Sample | null {
  if (outcome.outcome === 'succeeded') return { at, state: 'healthy', probeMs: null };
  return outcome.outcome === 'still_starting' ? { at, state: 'unhealthy', probeMs: null } : null;
}
