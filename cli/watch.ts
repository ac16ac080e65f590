import type { Command } from 'commander';
import type { App } from '../src/lib/app.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { freshnessOf } from '../src/lib/facts/freshness.ts';
import { readFleetList } from '../src/lib/views/fleet-list.ts';
import { parseFleetQuery } from '../src/lib/views/fleet-query.ts';
import type { FleetRow } from '../src/lib/views/fleet-read.ts';
import { conditionOf, FILTER_WORDS, FILTERS, type Condition } from '../src/lib/views/fleet-words.ts';
import { fleetHeadline, staleInShort } from '../src/lib/views/freshness-words.ts';
import { readWatch } from '../src/lib/views/watch-read.ts';
import { withCommas } from '../src/lib/facts/time-words.ts';
import { jsonOption, withApp, type JsonOption } from './context.ts';
import { print, printJson } from './output.ts';

/** Says on stderr when what is known of the fleet is old; whoever reads the JSON finds it there, too. */
export function warnIfStale(app: App, now: Date): void {
  const fresh = freshnessOf(readWatch(app, null, now), now);
  const notice = staleInShort(fresh, now);
  // Where there was no sweep yet, each VPS says so itself.
  if (notice !== null && fresh.kind === 'stale' && fresh.since !== null)
    console.error(`warning: ${notice.title} ${notice.text}`);
}

/** A row for JSON: `status` is what was last seen, `condition` what is known now, `stale` whether that is too old. */
export const forJson = (row: FleetRow, now: Date): FleetRow & { condition: Condition; stale: boolean } => {
  const condition = conditionOf(row, now);
  return { ...row, condition, stale: condition === 'unknown' };
};

/** `wardround status`: the headline of the fleet, and what it is made of. */
export function fillStatus(status: Command): void {
  status.addOption(jsonOption()).action(({ json }: JsonOption) =>
    withApp((app) => {
      const now = new Date();
      const watch = readWatch(app, null, now);
      const fresh = freshnessOf(watch, now);
      const { counts, total } = readFleetList(app, LOCAL_OPERATOR, parseFleetQuery(new URLSearchParams()), now);
      const headline = fleetHeadline(fresh, counts, now)
        .map(({ text }) => text)
        .join('')
        .trim();
      const notice = staleInShort(fresh, now);
      if (json) {
        const { sweptAt, watcher } = watch;
        printJson({ headline, freshness: fresh.kind, lastSweepAt: sweptAt, watcher, total, counts });
        return;
      }
      print(headline);
      for (const filter of FILTERS)
        if (counts[filter] > 0) print(`  ${withCommas(counts[filter]).padStart(6)}  ${FILTER_WORDS[filter]}`);
      if (watch.sweptAt !== null) print(`Last sweep: ${watch.sweptAt.toISOString()}`);
      if (notice !== null) print(notice.text);
    }),
  );
}
