import type { Freshness, Why } from '../facts/freshness.ts';
import { relativeTime, shortDuration, timeInWords } from '../facts/time-words.ts';
import { countWatched, fleetSentence, type Counts, type Phrase } from './fleet-words.ts';
import type { MonitorNotice } from './monitor-words.ts';

type Stale = Extract<Freshness, { kind: 'stale' }>;

/** Since when nothing is known of the fleet: `No sweep since 19:14 UTC: what you see is 3 h old.` */
export function staleSentence({ since, why }: Stale, now: Date): string {
  if (why.kind === 'gone') return 'Nothing is watched: the database was taken away.';
  if (since === null) return 'There has been no sweep yet: nothing is known.';
  const ageMs = now.getTime() - since.getTime();
  const age = ageMs < 0 ? 'of another clock' : `${shortDuration(ageMs)} old`;
  return `No sweep since ${timeInWords(since.getTime(), now.getTime())}: what you see is ${age}.`;
}

type WhyWords = { readonly reason: string; readonly todo: string };

/** Why nobody sweeps, as far as is known, and what to do. */
function whyInWords(why: Why): WhyWords {
  switch (why.kind) {
    case 'gone':
      return { reason: '', todo: why.text };
    case 'trouble':
      return { reason: endedWithStop(why.text), todo: 'Each sweep tries again; the log of the server says more.' };
    case 'nobody':
      return {
        reason: 'No server has the monitor on.',
        todo: 'Start one with ENABLE_HEALTH_MONITOR=true; if there should be one, look at its log.',
      };
    case 'cut_off':
      return {
        reason: 'This page has lost its connection to the server.',
        todo: 'It tries again by itself: see whether the server runs.',
      };
    case 'silent':
      return {
        reason: `The server that sweeps (process ${why.pid}) does not report any more.`,
        todo: 'It has ended, or does not get through to the database: look at its log, and start it again.',
      };
    case 'slow':
      return {
        reason: `The server that sweeps (process ${why.pid}) has not completed a sweep since.`,
        todo: 'A sweep hangs, or takes longer than three intervals: look at its log.',
      };
  }
}

const endedWithStop = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

/** The headline of the fleet: how it is, or how old that is. With what `fleetSentence` says where that stands. */
export function fleetHeadline(fresh: Freshness, counts: Counts, now: Date): Phrase[] {
  switch (fresh.kind) {
    case 'fresh':
      return fleetSentence(counts);
    case 'starting':
      return fresh.lastAt === null
        ? fleetSentence(counts)
        : [
            {
              text: `Last checked ${relativeTime(fresh.lastAt, now)}; the first sweep ${fresh.isSweeping ? 'is under way' : 'is about to begin'}. `,
            },
            ...fleetSentence(counts),
          ];
    case 'stale': {
      // Of a fleet without a VPS there is nothing to be known.
      if (fresh.why.kind !== 'gone' && countWatched(counts) === 0) return fleetSentence(counts);
      const { reason } = whyInWords(fresh.why);
      return [
        { text: `${staleSentence(fresh, now)} ` },
        ...(reason === '' ? [] : [{ text: reason, mark: 'down' as const }]),
      ];
    }
  }
}

const UNSEEN = 'A service that stops now is not started again, and nobody hears of it.';

/** What to do about it, below that headline; null where all is well. */
export function staleNotice(fresh: Freshness): MonitorNotice | null {
  if (fresh.kind !== 'stale') return null;
  return { kind: 'problem', title: UNSEEN, text: whyInWords(fresh.why).todo };
}

/** For a page without that headline, and for a terminal: all of it in one. Null where all is well. */
export function staleInShort(fresh: Freshness, now: Date): MonitorNotice | null {
  if (fresh.kind !== 'stale') return null;
  const { reason, todo } = whyInWords(fresh.why);
  return { kind: 'problem', title: staleSentence(fresh, now), text: [reason, todo].filter(Boolean).join(' ') };
}
