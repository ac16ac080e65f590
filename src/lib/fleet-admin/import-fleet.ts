import type { App } from '../app.ts';
import { adminName, type Actor } from '../auth/actor.ts';
import { write } from '../db/client.ts';
import type { ImportResult } from '../facts/import-result.ts';
import { publish } from '../live/bus.ts';
import { addVpssIn } from './fleet-admin.ts';
import type { Candidate, Known } from './import-entries.ts';
import { tryNewVps, type Trial } from './try-new-vps.ts';

/** How many are tried at the same time. */
const TRIED_AT_ONCE = 16;

/** `all`: none is added unless each of them can be watched. `good`: those that can. `none`: they are only tried. */
export type ImportMode = 'all' | 'good' | 'none';

export type Tried = { readonly candidate: Candidate; readonly trial: Trial | null };

type Watch = { readonly signal: AbortSignal; readonly onTried?: () => void };

/** Logs in to each of them, some at a time. A trial is null where the work was stopped before. */
export async function tryAll(app: App, candidates: readonly Candidate[], { signal, onTried }: Watch): Promise<Tried[]> {
  const tried: Tried[] = candidates.map((candidate) => ({ candidate, trial: null }));
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < candidates.length && !signal.aborted; index = next++) {
      const candidate = candidates[index];
      if (!candidate) return;
      const trial = await tryNewVps(app, candidate.vps, signal);
      if (signal.aborted) return;
      tried[index] = { candidate, trial };
      onTried?.();
    }
  };
  await Promise.all(Array.from({ length: TRIED_AT_ONCE }, work));
  return tried;
}

/**
 * Adds what was tried, as `mode` says, in one transaction, each with the host key that it has shown; and says of every line
 * what became of it. Throws `RefusedError` where the fleet has changed meanwhile so that one of them cannot be added.
 */
export async function addTried(
  app: App,
  actor: Actor,
  { tried, known }: { readonly tried: readonly Tried[]; readonly known: readonly Known[] },
  mode: ImportMode,
): Promise<ImportResult[]> {
  adminName(actor);
  const good = tried.filter(({ trial }) => trial?.isGood === true);
  const wanted = mode === 'good' || (mode === 'all' && good.length === tried.length) ? good : [];
  const ids = wanted.length === 0 ? new Map<Candidate, string>() : await addAll(app, actor, wanted);
  const results = tried.map(({ candidate, trial }): ImportResult => {
    const { line, vps } = candidate;
    const id = ids.get(candidate) ?? null;
    const outcome = id !== null ? 'added' : trial === null ? 'stopped' : trial.isGood ? 'good' : 'failed';
    return { line, host: vps.host, port: vps.port, email: vps.email, outcome, id, saw: trial?.saw ?? '' };
  });
  const before = known.map((one): ImportResult => ({ ...one, outcome: 'known', saw: '' }));
  return [...results, ...before].toSorted((a, b) => a.line - b.line);
}

const addAll = (app: App, actor: Actor, wanted: readonly Tried[]): Promise<Map<Candidate, string>> =>
  write(app.db, (tx) => {
    const toAdd = wanted.map(({ candidate: { line, vps }, trial }) => ({
      line,
      vps: { ...vps, hostKey: vps.hostKey ?? trial?.hostKey ?? null },
    }));
    publish(tx, { kind: 'all' });
    const added = addVpssIn(tx, app, actor, toAdd);
    return new Map(wanted.map(({ candidate }, index) => [candidate, added[index]?.id ?? '']));
  });
